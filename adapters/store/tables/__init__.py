"""All tables, as the migrations leave them."""
