"""What one look at a module tells: its layers, its outputs and what pictures it takes."""
