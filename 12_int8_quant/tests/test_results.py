"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""
