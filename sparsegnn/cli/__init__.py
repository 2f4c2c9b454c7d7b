"""The command line: `sparsegnn prune | bench | inspect | doctor | datasets`."""
