# %% [markdown]
# # 3 · One unit, one picture
#
# Take any unit of any layer and one picture. What in this picture makes the unit answer? Three
# methods give three maps, and beside them stand the real patches that excite the unit most. We
# look at both, and then test how far the maps can be trusted.
#
# After Cogswell (2016), *How do you recognize this cat?*, which asks this of AlexNet and a
# photograph. Here it is asked of a small network and a digit, where every claim can be checked in
# a second. The words, the code and the pictures are ours.

# %%
import torch
import torch.nn.functional as F
from settings import pick, pictures, trained

from phosphene import (
    Logit,
    Pixels,
    Recipe,
    Spectrum,
    Survey,
    Unit,
    batches,
    deconvnet,
    draw,
    gradient,
    guided,
)
from phosphene.figures import attributions_sheet, drawings_sheet
from phosphene.training import accuracy, seeded
from phosphene.words import percent
from phosphene.zoo import HVASS

test = pictures("test")
network = trained("hvass-0", HVASS).network
print(f"A network of two convolutions that reads {percent(accuracy(network, test))} of digits.")

# %% [markdown]
# ## A class from a blank picture
#
# The article begins with the oldest of these pictures: start from grey, and climb the gradient of
# a class until the network is sure. First as it was done in 2013, on bare pixels.

# %% Ten classes climbed from a grey picture, on pixels
outputs = [Unit(network.logits.name, i) for i in range(len(network.classes))]
blank = Recipe(canvas=Pixels(start="grey"), steps=pick(256, 16))
drawings_sheet(network, draw(network, outputs, blank), "From grey, pixel by pixel.")

# %% [markdown]
# And then with the spectrum of real digits held fixed, so that only the arrangement is free.

# %% Ten classes with the spectrum of real digits
spectrum = Spectrum.measure(batch.pictures for batch in batches(test))
recipe = Recipe(steps=pick(256, 16))
drawings_sheet(
    network,
    draw(network, outputs, recipe, spectrum=spectrum),
    "From noise, with the spectrum of real digits.",
)

# %% [markdown]
# ## The picture, and the units to ask
#
# Our cat is a 2 of the test set. Of each layer we take the units that stand out most in it:
# those whose answer lies the most deviations above what they answer on average. One pass over all
# test pictures gives these statistics, and the patches that excite each unit most, for all 190
# units at once.

# %%
layers = [layer.name for layer in network.default_layers]
survey = Survey(network, layers, k=9).over(test)
place = int((test.labels == 2).nonzero()[0])
picture = test[place].picture


def standing_out(layer: str, count: int) -> list[Unit]:
    """The units of a layer that answer to the picture most unusually."""
    values = network.record(picture[None], [layer])[layer].detach()
    strongest = values.flatten(2).amax(2)[0] if values.ndim == 4 else values[0]
    moments = survey.layers[layer].moments
    unusual = (strongest.double() - moments.mean) / moments.deviation.clamp_min(1e-6)
    return [Unit(layer, int(i)) for i in unusual.argsort(descending=True)[:count]]


print("| layer | sees | units that stand out |\n|---|---|---|")
for layer in layers:
    field = network.fields[layer]
    sees = "everything" if field.whole else "{} x {} pixels".format(*field.size)
    named = ", ".join(str(unit.index) for unit in standing_out(layer, 5))
    print(f"| {layer} | {sees} | {named} |")

# %% [markdown]
# ## The first convolution
#
# Each strip shows the picture and three maps over all of it, so that the place is kept: the plain
# gradient, DeconvNet, and guided backpropagation. Blue means more of the unit if this pixel were
# brighter, red means less, and white is zero. A unit of a convolution is shown wherever it fires,
# by how strongly. Below are the strongest patches of the test set and the same maps of them, cut
# to what the unit sees.

# %% Units of conv1 on one picture
attributions_sheet(network, picture, standing_out("conv1", 3), survey, test)

# %% [markdown]
# In the first layer there is no rectifier below the unit, so the three methods must agree, and they
# do: each map is the unit's 5 x 5 weights, laid down wherever it fires.
#
# ## The second convolution
#
# A unit here sees 14 x 14 pixels: not a digit, but a stroke with its bend.

# %% Units of conv2 on one picture
attributions_sheet(network, picture, standing_out("conv2", 4), survey, test)

# %% [markdown]
# Now they part. The plain gradient also says what would hurt, and is ragged. DeconvNet and guided
# backpropagation let only what helps pass each rectifier, and draw a clean stroke. The patches
# below tell whether that stroke is what the unit is about in general, or just what this picture
# had to offer: the same shape should come back in all of them.
#
# ## The dense layer and the classes
#
# Higher up a unit sees everything, and the patches are whole digits.

# %% Units of fc1 on one picture
attributions_sheet(network, picture, standing_out("fc1", 4), survey, test)

# %% [markdown]
# The dense layer is nearly at the answer: units that stand out in this picture are excited most by
# other pictures of its class. DeconvNet and the guided gradient draw nearly the same map for all
# four. Only the plain gradient tells the units apart. Keep that in mind for the classes themselves,
# the best and the second:

# %% The first and the second class of this picture
chances = network.probabilities(picture[None])[0]
first, second = (int(c) for c in chances.topk(2).indices)
attributions_sheet(network, picture, [outputs[first], outputs[second]], survey, test)

# %% [markdown]
# ## How far can the maps be trusted?
#
# A clean map convinces the eye, and that is the danger. Two tests. A map that explains a class
# should look different for another class. And it should not survive if the last layer is replaced
# by random weights, for then there is nothing left to explain. We compare maps by their cosine, 1
# for the same map and 0 for unrelated ones, over many pictures.

# %%
many = torch.stack([test[i].picture for i in range(pick(300, 20))])
best = network.class_scores(many).topk(2, dim=1).indices
winner, runner_up = (Logit(tuple(best[:, i].tolist())) for i in (0, 1))
beheaded = HVASS(seed=0)
beheaded.module.load_state_dict(network.module.state_dict())
fresh = seeded(lambda: torch.nn.Linear(128, 10), 7)
beheaded.module.get_submodule(network.logits.name).load_state_dict(fresh.state_dict())


def alike(one: torch.Tensor, other: torch.Tensor) -> float:
    """The mean cosine between maps of the same pictures."""
    return float(F.cosine_similarity(one.flatten(1), other.flatten(1), dim=1).mean())


print("| method | best class against second | against a random last layer |\n|---|---|---|")
methods = {"gradient": gradient, "DeconvNet": deconvnet, "guided gradient": guided}
trust = {}
for name, method in methods.items():
    maps = method(network, many, winner)
    trust[name] = (
        alike(maps, method(network, many, runner_up)),
        alike(maps, method(beheaded, many, winner)),
    )
    print(f"| {name} | {trust[name][0]:.2f} | {trust[name][1]:.2f} |")

# %% [markdown]
# A map that is the same for two classes says what is in the picture, not what speaks for the class.
# Guided backpropagation partly redraws the picture. Trust where it is strong rather than what it
# looks like, and put it beside real patches and the plain gradient, as the strips above do.
#
# ## What is the class made of, here?
#
# The article ends on a gap: it shows single units, and not how they build on one another. For the
# last step that can be read off exactly. A logit is a weighted sum of the dense units above zero,
# so each unit's part in it is its weight times its value.

# %%
with torch.no_grad():
    values = network.record(picture[None], ["fc1", network.logits.name])
    bias = float(network.module.get_submodule(network.logits.name).bias[first])
rectified = values["fc1"][0].relu()
parts = network.weights(network.logits.name)[first] * rectified
logit = float(values[network.logits.name][0, first])
error = abs(float(parts.sum()) + bias - logit)
order = parts.argsort(descending=True).tolist()
print("| unit of fc1 | weight | value | part in the logit |\n|---|---|---|---|")
for i in order[:5]:
    weight = float(parts[i] / rectified[i])
    print(f"| {i} | {weight:.3f} | {float(rectified[i]):.2f} | {float(parts[i]):.2f} |")
print(
    f"\nThe logit is {logit:.2f}. The parts of all units and the bias add up to it "
    f"with an error of {error:.0e}."
)

# %% The three dense units that the class is made of in this picture
attributions_sheet(network, picture, [Unit("fc1", i) for i in order[:3]], survey, test)

# %% [markdown]
# A unit can be a large part of this 2 and yet be excited most by other digits, whose patches then
# stand on the right. It is no unit for 2s: it is a unit for a stroke that a 2 has too.
#
# ## What we found

# %% tags=["remove-input"]
share = float(parts[order[:5]].sum()) / float(parts.clamp_min(0).sum())
above = {name: pair for name, pair in trust.items() if name != "gradient"}
blind = [name for name, (classes, _) in above.items() if classes > 0.7]
print(
    "- **Location is kept.** Each map lies over the whole picture, and in the first layer all "
    "three methods give the same one, as they must.\n"
    "- **Clean is not the same as telling.** "
    + (
        f"{' and '.join(blind)} draw nearly the same map for the best class as for the second "
        f"({', '.join(f'{above[name][0]:.2f}' for name in blind)}); "
        if blind
        else "Here the maps of two classes differ; "
    )
    + f"the plain gradient does not ({trust['gradient'][0]:.2f}). Against a random last layer the "
    f"guided map keeps {trust['guided gradient'][1]:.2f} of itself, the gradient "
    f"{trust['gradient'][1]:.2f}. The article prefers guided maps for their looks; for classes "
    "our numbers speak for the gradient.\n"
    f"- **The class is made of many.** Five of {len(parts)} dense units give "
    f"{percent(share)} of what speaks for it in this picture.\n"
    "- **Left for later.** The article's own network has photographs for input, and what its "
    "middle layers are parts of needs edges between units that are checked by switching them off."
)
