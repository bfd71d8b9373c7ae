# %% [markdown]
# # 6 · What a unit is made of
#
# The other walk-throughs show units one by one. But the units of a layer are made of those below
# it and are the parts of those above. Here we take a 7 apart, down to its pixels, and check every
# edge by doing without it: the network is run again with the part removed, alone, or raised.
#
# The picture of circuits is Olah et al.'s, *Zoom In* (2020); the checks are those that are usual
# for language models by now: activation patching, path patching, faithfulness.

# %%
import torch
from settings import pick, pictures, trained

from phosphene import Recipe, draw, parts, wholes, why
from phosphene.circuits import circuit, edges, measure, stages
from phosphene.figures import drawings_sheet
from phosphene.words import number, percent
from phosphene.zoo import HVASS

network, _ = trained("hvass-0", HVASS)
test = pictures("test")
seven = next(i for i in range(len(test)) if test[i].label == 7)
shown = test[seven].picture

# %% [markdown]
# ## Stages
#
# Between the picture and the logits there are layers through which everything has to pass. These
# are the stages that a tree goes down by, and the network tells them itself.

# %%
print("| stage | units |\n|---|---|")
for name in stages(network, network.logits.name):
    print(f"| {name} | {network.layers[name].units} |")

# %% [markdown]
# ## A 7, taken apart
#
# The logit of the 7 is a sum over the dense units below it: each adds its value, less what it has
# on average over the data, times the slope. The four that add most are shown, each taken apart in
# turn at the place where it adds most. Beside each part stand the patch that it sees and the
# pixels that matter on the way through it.

# %% What the class 7 is made of in one picture
tree = parts(network, shown, 7, data=test, k=pick(4, 2))
tree

# %%
rest = tree.root.rest
print(
    f"{rest.needed} of {rest.units + len(tree.root.parts)} units hold 80 % of all that is added. "
    f"All scores together are {percent(rest.completeness)} of what the layer changes, and "
    f"{number(rest.quiet)} of it is added by the {rest.silent} units that are quieter than usual: "
    "what is missing speaks too."
)

# %% [markdown]
# The logit is a linear map of the layer below it, so there the scores are exact. Further down
# they are not, and each part was measured. How well do scores agree with removals in general?
# Here are 40 digits, every unit of each layer removed in turn.

# %%
digits = torch.stack([test[i].picture for i in range(pick(40, 6))])
labels = [int(test[i].label or 0) for i in range(len(digits))]
print("| from | to | correlation of score and removal | contradicted |\n|---|---|---|---|")
for below in stages(network, network.logits.name):
    found = measure(edges(network, digits, labels, below, data=test), None, ("remove",))
    score = found.score.gather(1, found.measured)
    pairs = zip(score, found.removed, strict=True)
    r = [float(torch.corrcoef(torch.stack(pair))[0, 1].nan_to_num()) for pair in pairs]
    wrong = found.contradicted.double().mean()
    print(f"| {below} | the class | {sorted(r)[len(r) // 2]:.3f} | {percent(float(wrong))} |")

# %% [markdown]
# ## Three facts about an edge
#
# A unit may be missed when it is removed, may do the work alone, and may do more when it is
# raised. These are three facts and none follows from another: of two units that stand in for one
# another neither is missed.

# %% Edges to one unit of the second convolution: scored, removed, alone, raised
strongest = tree.root.parts[0].parts[0] if tree.root.parts[0].parts else tree.root.parts[0]
unit = f"{strongest.name.partition('@')[0]}"
below = stages(network, strongest.unit.layer)[0]
made_of = measure(edges(network, shown[None], unit, below, data=test), 12)
made_of

# %% [markdown]
# ## What it is a part of
#
# The other way round: without this unit, which later units change, and which classes?

# %% What the unit is a part of
part_of = wholes(network, shown, unit, data=test)
part_of

# %% [markdown]
# ## Why a 7, and not a 1?
#
# The same question as in the first walk-through, asked of the network's inside. A way leads from
# the pixels through one unit of each stage to the lead of the 7 over the 1. What a way adds is
# confirmed by patching along it: its first unit is removed, and only the units of the way are
# told.

# %% Why a 7 and not a 1
answer = why(network, shown, 7, 1, data=test)
answer

# %%
print("| way | adds | without it |\n|---|---|---|")
for way in answer.ways:
    names = " → ".join(reversed(way.names))
    print(f"| {names} | {number(way.score)} | {number(-way.removed)} |")

# %% [markdown]
# ## How few units are enough?
#
# The smallest set that was found that keeps 95 % of the logit, everything else at its average.
# Units join greedily, each time the one that helps most beside those that are in.

# %% How much of the logit the first n units keep
smallest = circuit(network, shown, 7, stages(network, network.logits.name)[0], data=test)
smallest

# %%
orders = [
    circuit(network, shown, 7, smallest.sources, data=test, order=order)
    for order in ("greedy", "score", "random")
]
print("| order | units for 95 % | area under the curve |\n|---|---|---|")
for each in orders:
    print(f"| {each.order} | {int(each.sizes[0])} | {number(float(each.cpr[0]))} |")

# %% [markdown]
# A circuit is a network too. What does it still want to see, when the rest of the layer is held
# at its average?

# %% The class 7 drawn for the whole network, and for its circuit alone
recipe = Recipe(steps=pick(256, 8))
whole = draw(network, 7, recipe)
alone = draw(smallest.alone(), 7, recipe)
drawings_sheet(network, [*whole, *alone], "For the whole network, and for the circuit alone.")

# %% [markdown]
# ## What we found
#
# - **A 7 is made of a bar and a slanted stroke.** Of the sixteen units two stages below the logit
#   that the tree shows, those that stand on the bar answer to a line that lies, and those on the
#   stem to one that leans. Nobody told the network so; it is what remains when each part is shown
#   with the pixels that matter on the way through it.
# - **The logit is no work of a few.** 48 of 128 dense units hold 80 % of what is added, and 40 keep
#   95 % of it alone. The strongest way through one unit of each stage adds less than half a
#   hundredth of the logit. Who shows one path to explain a class shows very little of it.
# - **Absence counts.** 74 of the 128 units answer less than usual here, and that they do is worth
#   nearly half of the logit. A picture of what is there cannot show it; the count can.
# - **Scores can be trusted in a network like this one,** down to the first layer: they correlate
#   with removals at .995 and better, and fewer than one edge in a hundred is contradicted. In deep
#   networks with skips it is less, which is why edges are measured.
# - **One unit gives more where it is removed than where it is raised.** Most parts of the second
#   convolution's unit hold it *down* when they are raised everywhere to their own high values: a
#   part acts by where it answers, not by how much.
