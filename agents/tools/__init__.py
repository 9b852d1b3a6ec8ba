"""Tools that do something real: shop, mail, files, HTTP."""
