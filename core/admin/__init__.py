"""The admin: pages that are no generated CRUD, the frame around all of them, templates and static files."""
