// How the walk-throughs begin; written by `make tours`.

export const walks = {
  "1_shortcuts": {
    "title": "A network that tells 1s from 7s, and the shortcut it took",
    "told": "It reads nearly every handwritten 1 and 7 rightly. Then it is shown a lone dash, and a 1 that stands a little aside, and it becomes clear that it never learnt what a 7 is. Training on shifted copies is the remedy for one of the two."
  },
  "2_fooling": {
    "title": "Weights as pictures, noise as digits, words in noise",
    "told": "The simplest network shows openly what it looks for: its weights are pictures. A better network hides it, and can be led to read noise as any digit you like. Does that noise also fool the same network, trained again? And can one write a letter in it?"
  },
  "3_one_image": {
    "title": "One unit, one picture",
    "told": "Take any unit of any layer and one picture. What in this picture makes the unit answer? Three methods give three maps, and beside them stand the real patches that excite the unit most. We look at both, and then test how far the maps can be trusted."
  },
  "4_every_feature": {
    "title": "Every feature of every layer",
    "told": "A network of 190 units, looked at whole: what each unit would most like to see, which units never speak, which only repeat others, and what is lost when they are switched off. Then the same for a network of half the width, of a quarter, and a deeper one."
  },
  "5_likes_most": {
    "title": "The pictures that a network likes most",
    "told": "Start from black, and let Adam change the picture for 50 steps until the network is as sure of a digit as it can be, and of nothing else. It takes a dozen lines, if one does not trip over the two scales of pictures: ours, from black to white, and the network's, in deviations from a mean."
  },
  "6_circuits": {
    "title": "What a unit is made of",
    "told": "The other walk-throughs show units one by one. But the units of a layer are made of those below it and are the parts of those above. Here we take a 7 apart, down to its pixels, and check every edge by doing without it: the network is run again with the part removed, alone, or raised."
  }
};
