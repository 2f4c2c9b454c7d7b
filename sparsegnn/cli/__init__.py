"""The command line: `sparsegnn prune | inspect | doctor | datasets`."""
