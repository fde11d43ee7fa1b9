"""How chains are stepped: a stretch of all of them, dealt out to workers."""
