"""What a customer may contain: the parameters as data, and how each field is cleaned and judged."""
