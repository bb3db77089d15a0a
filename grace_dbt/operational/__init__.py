"""The databases that Grace writes: where they are, what is in them, how to change them."""
