"""A model that is served elsewhere, by OpenAI's protocol: it writes in the place of torch."""
