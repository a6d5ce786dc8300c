"""The catalogue's database: schema, connections, reads (`queries`) and writes (`commands`)."""
