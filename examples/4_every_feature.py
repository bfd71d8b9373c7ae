# %% [markdown]
# # 4 · Every feature of every layer
#
# A network of 190 units, looked at whole: what each unit would most like to see, which units never
# speak, which only repeat others, and what is lost when they are switched off. Then the same for a
# network of half the width, of a quarter, and a deeper one.
#
# After Hvass Laboratories' TensorFlow tutorial 13-B, *Visual Analysis (MNIST)*, which looks at ten
# features of each layer and leaves the rest as exercises. Here are the exercises, in our own words.

# %%
import torch
from settings import pick, pictures, trained

from phosphene import (
    Fourier,
    Identity,
    Logit,
    Optimizer,
    Pixels,
    Recipe,
    Spectrum,
    Survey,
    Unit,
    ascend,
    batches,
    draw,
    nearest_neighbours,
)
from phosphene.figures import (
    confusion_sheet,
    drawings_sheet,
    misread_sheet,
    pictures_sheet,
    training_sheet,
)
from phosphene.probes import compare, misread, restart, units
from phosphene.streams import Streams
from phosphene.training import accuracy
from phosphene.words import number, percent, plural
from phosphene.zoo import HVASS

test = pictures("test")

# %% [markdown]
# ## Before and after
#
# Two convolutions of 5x5 with 16 and 36 channels, each with ReLU and max-pooling; 128 dense units;
# ten logits. Adam at 1e-4, batches of 64, 10,000 steps.

# %%
untrained = HVASS(seed=0)
network, steps = trained("hvass-0", HVASS)
before, after = accuracy(untrained, test), accuracy(network, test)
print(
    f"Of {len(test):,} test pictures {before:.2%} are read right before the training and "
    f"{after:.2%} after it."
)

# %% Accuracy on the batches of the training
training_sheet(steps)

# %% [markdown]
# The layers are found by asking the network. Nobody has to keep a list of names.

# %%
print("| layer | kind | shape | sees | parameters |\n|---|---|---|---|---|")
for layer in network.default_layers:
    field, weights = network.fields[layer.name], network.weights(layer.name)
    sees = "everything" if field.whole else "{} x {}".format(*field.size)
    count = 0 if weights is None else weights.numel() + layer.units
    print(f"| {layer.name} | {layer.kind} | {layer.shape} | {sees} | {count:,} |")

# %% [markdown]
# ## What it reads, and what it misreads

# %% Nine test pictures with their classes
nine = [test[i] for i in range(9)]
pictures_sheet(
    torch.stack([example.picture for example in nine]),
    [f"a {test.classes[example.label]}" for example in nine],
    "The first nine test pictures",
)

# %% Nine pictures that are misread, with what they are and what was read
mistakes = misread(network, test)
misread_sheet(mistakes, most=9)

# %% [markdown]
# Most of these would make a person hesitate. That is what one would hope for: the errors that are
# left are near the border between two digits. Where those borders are, the confusion matrix says.

# %% Which digit is taken for which
survey = Survey(network, [layer.name for layer in network.default_layers], k=9).over(test)
confusion_sheet(survey.predictions.confusion, test.classes)

# %% [markdown]
# ## How a picture is drawn
#
# The tutorial starts from faint noise and takes 30 steps up the gradient of one feature, each the
# length of the picture's range. We watch the logit of a 2 on the way.

# %%
aim = 2
streams = Streams.seeded(0, ["a picture for class 2"])
canvas = Pixels().build(streams, network.input.shape)
stride = Optimizer("NormalizedGradient", 1.0)
print("| step | logit 2 | read as | p |\n|---|---|---|---|")
for step in ascend(network, Logit(aim), canvas, streams, steps=30, optimizer=stride):
    if step.index in {0, 1, 2, 3, 5, 10, 20, 30}:
        chances = network.probabilities(step.pictures)[0]
        read = int(chances.argmax())
        print(f"| {step.index} | {float(step.scores):.1f} | {read} | {float(chances[read]):.4f} |")

# %% The ten classes drawn by the tutorial's steps
outputs = [Unit(network.logits.name, i) for i in range(len(network.classes))]
tutorial = Recipe(canvas=Pixels(), steps=30, optimizer=stride, transform=Identity())
plain = draw(network, outputs, tutorial)
drawings_sheet(network, plain, "Drawn by the tutorial's own steps.")

# %% [markdown]
# The network is sure of all of these, and we recognise a few. The logits are higher than those of
# real digits: to be high is not the same as to be clear. So ask for more: that the picture has the
# spectrum of real digits, and that it still convinces when it is shifted, turned and scaled a
# little.

# %% The ten classes with the spectrum of real digits
spectrum = Spectrum.measure(batch.pictures for batch in batches(test))
recipe = Recipe(steps=pick(256, 16))
careful = draw(network, outputs, recipe, spectrum=spectrum)
drawings_sheet(network, careful, "Drawn with the spectrum of real digits.")

# %% [markdown]
# Which of them are closer to digits need not be a matter of taste. We ask the five real pictures
# that are nearest to each drawing what it is, and how far they are.

# %%
real = pictures("train")
print("| drawn | neighbours agree | distance to the nearest five |\n|---|---|---|")
for name, drawings in (("by the tutorial's steps", plain), ("with a spectrum", careful)):
    near = nearest_neighbours(torch.stack([d.picture for d in drawings]), batches(real), k=5)
    agree = int((near.votes(10).argmax(1) == torch.arange(10)).sum())
    print(f"| {name} | {agree} of 10 | {float(near.distances.mean()):.2f} |")

# %% [markdown]
# ## All features, not ten
#
# A unit of the first layer sees 5 x 5 pixels, one of the second 14 x 14. Drawn on just what they
# see, all 16 and all 36 of them:

# %% All features of conv1, on the pixels they see
everything = {
    name: [Unit(name, i) for i in range(network.layer(name).units)]
    for name in ("conv1", "conv2", "fc1")
}
neuron = Recipe("neuron", Fourier(), steps=pick(256, 16))
drawings_sheet(network, draw(network, everything["conv1"], neuron, spectrum=spectrum))

# %% All features of conv2, on the pixels they see
drawings_sheet(network, draw(network, everything["conv2"], neuron, spectrum=spectrum))

# %% [markdown]
# Edges first, then bends, corners and ends of strokes. The tutorial draws each feature over a whole
# picture instead, which asks for the stroke everywhere at once. It becomes a texture:

# %% All features of conv2, over a whole picture
drawings_sheet(network, draw(network, everything["conv2"], recipe, spectrum=spectrum))

# %% [markdown]
# The 128 units of the dense layer see everything, and each draws a stroke in a place of its own:
# parts of digits, some of them nearly whole.

# %% All features of fc1
fc1 = draw(network, everything["fc1"], Recipe(steps=pick(128, 8)), spectrum=spectrum)
drawings_sheet(network, fc1)

# %% [markdown]
# The faint ones among them belong to units that no real digit wakes, as the next count shows.
#
# ## Which of them are needed?
#
# The tutorial asks which features are unused and which are redundant. A unit is *silent* if it
# fires on no picture; two are *redundant* if their values correlate by more than 0.95. And since
# counting is not proof, we switch each unit off and read the pictures without it.

# %% What is lost without each unit, layer by layer
some = test.take(range(pick(2_000, 100)))
stock = units(network, some)
stock

# %% [markdown]
# ## Half of it, a quarter of it, more of it
#
# If so little depends on most units, a smaller network should do. We train three others by the
# same recipe: half the width everywhere, a quarter, and one with a third convolution and a second
# dense layer.

# %% Four networks side by side, with what their classes look for
others = {
    "half the width": trained("hvass-half", HVASS, widths=(8, 18), dense=(64,)).network,
    "a quarter": trained("hvass-quarter", HVASS, widths=(4, 9), dense=(32,)).network,
    "deeper": trained("hvass-deep", HVASS, widths=(16, 36, 36), dense=(128, 128)).network,
}
versions = compare({"as it is": network, **others}, test, recipe=recipe, spectrum=spectrum)
versions

# %% [markdown]
# The new layers are there to be looked at without further ado. Here is the deeper network's second
# dense layer, the last before the logits:

# %% All features of the second dense layer of the deeper network
deeper = others["deeper"]
last_hidden = [Unit("fc2", i) for i in range(deeper.layer("fc2").units)]
drawings_sheet(deeper, draw(deeper, last_hidden, Recipe(steps=pick(128, 8)), spectrum=spectrum))

# %% [markdown]
# ## Fifty starts for an unclear digit
#
# The tutorial's last exercise: where a digit comes out unclear, start again many times and keep
# the clear ones. Which digit is the unclear one? The one whose drawing is farthest from any real
# picture. It is drawn from 50 different starts; a picture is kept if it excites the unit strongly
# and is among the nearer half to real ones.

# %% One class drawn from many starts, in groups
near = nearest_neighbours(torch.stack([d.picture for d in careful]), batches(real), k=5)
unclear = int(near.distances.mean(1).argmax())


def distance(drawn: torch.Tensor) -> torch.Tensor:
    """How far each picture is from its five nearest real ones."""
    return nearest_neighbours(drawn, batches(real), k=5).distances.mean(1)


tries = restart(
    network,
    outputs[unclear],
    recipe,
    starts=pick(50, 6),
    spectrum=spectrum,
    distance=distance,
    layer="fc1",
)
tries

# %% [markdown]
# ## What we found

# %% tags=["remove-input"]
census = [layer.census for layer in stock.layers]
silent = ", ".join(f"{len(c.silent)} of {c.units} in {c.layer}" for c in census)
redundant = ", ".join(f"{c.redundant} in {c.layer}" for c in census)
free = sum(int((layer.each.lost <= 0).sum()) for layer in stock.layers)
total = sum(c.units for c in census)
sides = {side.name: side for side in versions.sides}
dearest = {layer.census.layer: layer.each.ranked()[0] for layer in stock.layers}
costs = "; ".join(
    f"unit {group[0]} of {name} {percent(lost)}" for name, (group, lost) in dearest.items()
)
whole = sides["as it is"]
print(
    f"- **Accuracy.** 9.3 % before and 98.9 % after the training there; {before:.2%} and "
    f"{after:.2%} here, with {len(mistakes.images):,} of {len(test):,} misread.\n"
    f"- **Unused and redundant.** Silent: {silent}. Redundant: {redundant}.\n"
    f"- **Switched off, one at a time,** {free} of {total} units cost nothing on "
    f"{plural(len(some), 'picture')}. The dearest: {costs}. A network of this size leans on no "
    f"single unit much.\n"
    + "".join(
        f"- **{name.capitalize()}**: {side.accuracy:.2%} with {side.parameters:,} parameters, "
        f"{percent(side.parameters / whole.parameters)} of the original's, and "
        f"{number(100 * abs(side.accuracy - whole.accuracy))} percentage points "
        f"{'above' if side.accuracy > whole.accuracy else 'below'} it.\n"
        for name, side in sides.items()
        if name != "as it is"
    )
    + f"- **Restarts.** {plural(len(tries.pictures), 'start')} for class "
    f"{network.classes[unclear]}, {int(tries.clear().sum())} kept as clear, in "
    f"{plural(int(tries.clusters.max()) + 1, 'group')}."
)
