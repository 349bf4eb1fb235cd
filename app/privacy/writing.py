"""How numbers are written, and which words before one say that it counts a thing and not a person."""

import re

Span = tuple[int, int]

GAP = "[ \u00a0\u2009\u202f.-]"  # signs that part the digits of a number; blanks of several widths
TRADE = re.compile(  # what a number right after one of these counts is a thing, not a person
    r"(?i)\b(?:order|orders|invoice|ticket|case|ref|reference|batch|lot|job|build|serial|part|sku|tracking|shipment|parcel"
    r"|isbn|issn|ean|gtin|upc|imei|transaction|receipt|issue|version|rechnung|bestellung|auftrag|faktura|factura|facture"
    r"|commande|pedido|ordine|ordre|zakázka|objednávka)"
    r"(?:[ -]?(?:number|numbers|no|nr|num|id|code|key|nummer|#|:|is|was|of))*[ .:#=\"']{0,4}$"
)


def names_no_thing(text: str, start: int) -> bool:
    """Whether no word of trade stands right before."""
    return TRADE.search(text[max(0, start - 40) : start]) is None
