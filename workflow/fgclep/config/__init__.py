"""The config: one pydantic section per file; ``config.yaml``, its schema and its reference are generated from them."""
