def long(content=None):
    return ""
