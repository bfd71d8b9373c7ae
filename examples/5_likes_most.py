# %% [markdown]
# # 5 · The pictures that a network likes most
#
# Start from black, and let Adam change the picture for 50 steps until the network is as sure of a
# digit as it can be, and of nothing else. It takes a dozen lines, if one does not trip over the two
# scales of pictures: ours, from black to white, and the network's, in deviations from a mean.
#
# After the PyTorch article *Do you know which inputs your neural network likes most?* The question
# is the article's; the words, the code and the pictures are ours.

# %%
import torch
from settings import pick, pictures, trained

from phosphene import (
    LogProbability,
    Optimizer,
    Spectrum,
    batches,
    nearest_neighbours,
)
from phosphene import Recipe as DrawingRecipe
from phosphene.figures import film_sheet, pictures_sheet
from phosphene.probes import Film, against, class_pictures, fool, shown_to
from phosphene.training import accuracy
from phosphene.words import number, percent
from phosphene.zoo import HVASS, PYTORCH

test = pictures("test")

# %% [markdown]
# ## The network of the PyTorch example
#
# Two convolutions of 3x3, dropout, two dense layers and a log-softmax. Its weights are a
# state_dict with the example's own names, so that weights from there fit here, and the other way
# round.

# %%
small = pick({}, {"widths": (8, 16), "dense": 32})
network = trained("pytorch", PYTORCH, **small).network
print(f"Of {len(test):,} test pictures {percent(accuracy(network, test))} are read right. ")
print(f"It ends with {list(network.layers)[-2]}; the logits are those of {network.logits.name}.")

# %% [markdown]
# ## Two scales
#
# A picture goes from 0, black, to 1, white. This network was trained on other numbers: each pixel
# minus the mean of MNIST, divided by its deviation. Mixing up the two is the commonest mistake in
# this trade, and it makes no noise: the network answers, only worse. So the scale is part of the
# network's record, and nobody else needs to know it.

# %%
print("| for people | for the network |\n|---|---|")
for name, level in (("black, 0", 0.0), ("the mean of MNIST, 0.1307", 0.1307), ("white, 1", 1.0)):
    flat = torch.full((1, *network.input.shape), level)
    print(f"| {name} | {number(float(network.input.normalise(flat)[0, 0, 0, 0]))} |")

# %% [markdown]
# ## For one digit, against all others
#
# What is to be made large is the log-probability of the target, ten times, less the
# log-probabilities of all classes. Objectives are values here, and this one says itself:

# %%
print(f"`{against(len(network.classes))((3,))}`")

# %% Fifty steps of Adam from black to a 3
adam = Optimizer("Adam", 0.1)


def liked(targets: tuple[int, ...] | None = None) -> Film:
    """From black to each target, and against all others."""
    return fool(
        network,
        targets,
        start="black",
        aim=against(len(network.classes)),
        optimizer=adam,
        steps=pick(50, 12),
    )


film_sheet(liked((3,)))

# %% [markdown]
# The network is convinced within a few steps, and the rest only makes the picture louder. (The
# article names no rate for Adam. Ours is 0.1 of the range from black to white.)
#
# ## All ten

# %% The ten pictures the network likes most
likes = liked()
pictures_sheet(
    likes.pictures,
    [
        f"p({name}) = {float(p):.4f}"
        for name, p in zip(likes.classes, likes.towards[-1], strict=True)
    ],
    "What it likes most",
    "Found from black in 50 steps of Adam." if len(likes.frames) == 51 else "",
)

# %% [markdown]
# In several of them the digit is there, outlined many times over: strokes the network finds
# convincing, wherever they fit, and no reason to leave anything black. It was never shown such a
# picture, and has no way to say so.
#
# ## Is it the objective?
#
# The sum over all classes is what sets the article's objective apart. A plain log-probability is
# satisfied as soon as p is near 1: its gradient goes out. The article's never does, since in logits
# it is K z(target) less the sum of all z, a straight line. Both, and for comparison what the same
# network wants when the picture has to keep the spectrum of real digits:

# %% Three ways to ask the same network the same question
plain = fool(network, start="black", aim=LogProbability, optimizer=adam, steps=pick(50, 12))
spectrum = Spectrum.measure(batch.pictures for batch in batches(test))
recipe = DrawingRecipe(steps=pick(256, 16))
careful, digits = class_pictures(network, recipe, spectrum=spectrum)
ways = {
    "for one, against all": likes.pictures,
    "for one": plain.pictures,
    "with the spectrum of digits": careful,
}
shown = [2, 3, 5, 6, 9]
pictures_sheet(
    torch.cat([found[shown] for found in ways.values()]),
    [f"{network.classes[i]}, {name}" for name in ways for i in shown],
    "Three ways to ask",
    columns=5,
)

# %% [markdown]
# Which of them would convince somebody else? We ask a network of another design that was trained
# apart, and the five nearest real pictures. The last row is the measure: real digits that neither
# network was trained on.

# %%
stranger, real = trained("hvass-0", HVASS).network, pictures("train")
print("| way | sure itself | read so by a stranger | neighbours agree | distance to real |")
print("|---|---|---|---|---|")
first = [int((test.labels == digit).nonzero()[0]) for digit in digits]
ways["real digits"] = torch.stack([test[i].picture for i in first])
outcome = {}
for name, found in ways.items():
    own, other = (shown_to([n], found, digits) for n in (network, stranger))
    near = nearest_neighbours(found, batches(real), k=5)
    agree = int((near.votes(10).argmax(1) == torch.arange(10)).sum())
    outcome[name] = (float(other.convinced), agree, float(near.distances.mean()))
    print(
        f"| {name} | {percent(float(own.probability))} | {percent(outcome[name][0])} | "
        f"{agree} of 10 | {outcome[name][2]:.2f} |"
    )

# %% [markdown]
# ## What each part receives
#
# The article sets hooks to see the channels inside, and what each part of the network is really
# given. A record holds both: what a layer gives is what the next one receives. Here are the
# largest values each part receives, for real 3s and for the 3 it likes most.

# %%
threes = torch.stack([test[int(i)].picture for i in (test.labels == 3).nonzero()[:100]])
names = [name for name in network.layers if "@" not in name and name != "output"]
with torch.no_grad():
    usual = network.record(threes, names)
    unusual = network.record(likes.pictures[3:4], names)
received = {
    "input": (network.input.normalise(threes), network.input.normalise(likes.pictures[3:4]))
}
received |= {name: (usual[name], unusual[name]) for name in names}
print("| part | receives from | largest, real 3s | largest, the liked 3 |\n|---|---|---|---|")
excess = {}
for giver, part in zip(received, names, strict=False):
    if part in {layer.name for layer in network.default_layers}:
        ordinary, extreme = (float(values.max()) for values in received[giver])
        excess[part] = extreme / ordinary
        print(f"| {part} | {giver} | {number(ordinary)} | {number(extreme)} |")

# %% [markdown]
# The picture itself is within bounds: no pixel is whiter than white. Inside, the deeper the part,
# the farther beyond anything real are the values it is given.
#
# ## What we found

# %% tags=["remove-input"]
sure = float(likes.towards[-1].min())
quick = [found.step for found in likes.reached(0.99) if found]
article, spectral = outcome["for one, against all"], outcome["with the spectrum of digits"]
print(
    f"- **Accuracy.** 99 % after ten epochs there, {percent(accuracy(network, test))} here.\n"
    f"- **Ten liked pictures.** {len(quick)} of {len(likes.targets)} pass p = 0.99, the slowest "
    f"after {max(quick, default=0)} steps; the least sure ends at {sure:.4f}.\n"
    f"- **They are the network's own.** A stranger reads {percent(article[0])} of them as meant, "
    f"and {percent(spectral[0])} of the pictures with the spectrum of digits; of those "
    f"{spectral[1]} of 10 lie nearest to their own digit, of the article's {article[1]}.\n"
    f"- **They are loud inside.** The last dense layer receives values up to "
    f"{number(list(excess.values())[-1])} times those of real 3s.\n"
    f"- **Where we differ.** The article looks at the pictures and finds digits in them. So do we, "
    f"in some. Whether a picture shows what the network looks for, or only what it cannot resist, "
    f"needs a second opinion, and the stranger gives one."
)
