"""Two short texts in other languages, written for this comparison: one in the Latin script and one in another."""

GERMAN = """\
Der Bäcker öffnet seinen Laden früh am Morgen, wenn die Straßen noch leer sind. Zuerst heizt er den großen Ofen, dann
knetet er den Teig, der über Nacht geruht hat. Gegen sechs Uhr kommen die ersten Kunden: eine Krankenschwester nach der
Nachtschicht, zwei Schüler mit schweren Rucksäcken und ein älterer Herr, der jeden Tag dasselbe Brötchen kauft. Sie
sprechen über das Wetter, über die verspätete Straßenbahn und darüber, dass früher alles günstiger gewesen sei. Der
Bäcker hört zu, lächelt und zählt das Wechselgeld. Am Nachmittag, wenn die Regale fast leer sind, setzt er sich ans
Fenster und rechnet aus, wie viel Mehl er für den nächsten Tag bestellen muss.
"""

RUSSIAN = """\
Пекарь открывает лавку рано утром, когда на улицах ещё пусто. Сначала он растапливает большую печь, потом месит тесто,
которое отдыхало всю ночь. Около шести часов приходят первые покупатели: медсестра после ночной смены, два школьника с
тяжёлыми рюкзаками и пожилой господин, который каждый день берёт одну и ту же булочку. Они говорят о погоде, об
опоздавшем трамвае и о том, что раньше всё было дешевле. Пекарь слушает, улыбается и отсчитывает сдачу. После обеда,
когда полки почти опустели, он садится у окна и считает, сколько муки нужно заказать на завтра.
"""
