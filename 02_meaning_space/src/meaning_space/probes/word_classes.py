"""Words to probe with, by class: one list for novels by meaning, one for Python's documentation by use.

Each word is in one class only, and is common enough in its kind of text to have a vector worth probing.
"""

from collections.abc import Mapping

FICTION: Mapping[str, str] = {
    "kin": "father mother brother sister son daughter uncle aunt cousin husband wife nephew niece grandfather "
    "grandmother child children sons daughters brothers sisters parents widow infant",
    "body": "hand hands arm arms head face eyes eye lips mouth hair shoulder shoulders finger fingers neck cheek "
    "cheeks forehead nose ear ears knee knees foot feet breast throat chin",
    "time": "morning evening night afternoon hour hours minute minutes day days week weeks month months year years "
    "yesterday tomorrow monday sunday winter summer spring autumn century",
    "house": "house room door window windows chair table bed hall kitchen stairs fire lamp candle floor wall walls "
    "roof gate garden parlour chamber sofa curtain carpet shelf",
    "nature": "river sea hill hills mountain mountains tree trees forest wood woods sky cloud clouds moon sun star "
    "stars wind rain snow storm valley island shore grass flowers",
    "speech": "said cried replied answered asked exclaimed whispered muttered shouted murmured remarked observed "
    "inquired added continued repeated demanded declared returned suggested",
    "motion": "went came walked ran rode drove hurried rushed climbed jumped fled marched crept stepped entered "
    "approached followed wandered leaped turned",
    "feeling": "happy sad angry glad sorry afraid anxious proud ashamed miserable unhappy cheerful melancholy jealous "
    "lonely weary grateful delighted surprised astonished frightened",
}

DOCUMENTATION: Mapping[str, str] = {
    "type": "int integer integers float floating complex string strings bytes bytearray list lists tuple tuples "
    "dictionary dictionaries dict set sets range sequence sequences mapping mappings number numbers boolean "
    "iterator generator",
    "verb": "return returns returned call calls called raise raised define defined defines create created creates "
    "contain contains use used uses evaluate evaluated assign assigned bind bound specify specified convert "
    "converted execute executed import imported match matches",
    "operator": "and or not in plus minus addition multiplication division modulo bitwise shift comparison comparisons "
    "power unary binary",
    "adverb": "always never also only usually typically explicitly implicitly automatically directly otherwise however "
    "therefore immediately normally currently exactly",
    "auxiliary": "may must can should will would could cannot does do has have is are was were be been",
}
