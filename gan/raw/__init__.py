"""Raw media -> corpus: a folder of work, its stages in the order data flows, and what people decide."""
