"""What every figure is drawn with: colours, paper, letters, crops and charts."""
