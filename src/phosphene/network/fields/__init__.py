"""What a unit can see: receptive fields, found by poisoning, and the pieces they allow."""
