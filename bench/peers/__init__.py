"""What users run today, written without the package: PyG, torch.sparse, scipy, dense arithmetic."""
