"""The kinds of personal data and secrets that are looked for, by the names that people read."""

EMAIL, SECRET, CARD, PHONE = "e-mail address", "key or token", "card number", "phone number"
SSN, ACCOUNT, NATIONAL = "social security number", "bank account number", "national id number"
NETWORK, WALLET = "network address", "crypto wallet"
KINDS = (EMAIL, SECRET, CARD, PHONE, SSN, ACCOUNT, NATIONAL, NETWORK, WALLET)
