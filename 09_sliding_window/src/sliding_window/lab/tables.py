import json


def headline(c=None):
    return ""


real = wavenet = bench = break_it = headline
