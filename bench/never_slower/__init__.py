"""Is a compiled model ever slower than the dense one? A sweep over generated cases.

The protocol, decided before any case was run:

1. A case is a model, a graph, features, a share of edges and a share of weights, all drawn from a
   seed and the number of the case (`drawing.py`). Model and layer kinds take turns, so that each
   meets every kind of graph.
2. `sparsegnn.compile(..., tune=True)` compiles it. What that measured is not used.
3. An independent interleaved run times the compiled model beside its peers: our dense layers on the
   whole graph, the same on the kept edges where some are pruned, and the model as PyG runs it, all
   called as they are under `torch.inference_mode`. A sample repeats a call until it lasts 5 ms;
   ratios are taken within a round.
4. A case is a suspect if for any peer the median ratio, peer over ours, is below 1 / 1.03.
5. A suspect is measured again in two further runs, with 15 rounds of samples of 20 ms.
   It counts as slower if the median ratio to the same peer is below 1 / 1.03 in both of them.
   Three runs agreeing on 3 % are a loss; less than that is what timing repeats to.

The record holds every case with the times of the run that decided it. Results are compared with
PyG's on the kept edges.
"""
