"""The words and numbers that more than one room uses, each of which stands here only.

No imports: the command line reads them before anything heavy is loaded.
"""

# The network's input and what is done with it.
BINS = 32  # voxel bins over one exposure
WINDOW = 5  # frames that the network sees at once
SMALLEST_TILE = 32  # pixels; given by hand, or reached by halving for want of memory
DEVICES = ("auto", "cpu", "cuda[:N]", "mps")
PRECISIONS = ("fp32", "bf16", "fp16")
SAFETENSORS = ".safetensors"
PICKLES = (".pth", ".pt", ".ckpt")  # official checkpoints, of which plain tensors are read
WEIGHTS_SUFFIXES = (SAFETENSORS, *PICKLES)

# Methods beside those without weights, which `restoration.methods` lists.
NETWORK = "net"
BLURRY = "blurry"  # of the benchmark: the video as it is
FINISHED = "video"  # of the benchmark: what others have made of it

# SDM: sharp = blurry x rate / mean rate.
SDM_WINDOWS = (1 / 16, 1 / 8, 1 / 4, 1 / 2)  # parts of the exposure, beside all of it
PRIOR_SPIKES = 0.3  # that every pixel is taken to have had at its mean rate: calms dark pixels

# Spike recordings.
BIT_ORDERS = ("little", "big")
SYMBOL_BITS = (1, 2, 4, 8)  # of a pixel at a tick
CFAS = ("RGGB", "BGGR", "GRBG", "GBRG")  # filters of 2x2 spike pixels, row by row
PREVIEW_METHODS = ("tfp", "tfi")

# Video. Matrices with their codes of ITU-T H.273, table 4.
COLOUR_MATRICES = (("bt601", 6), ("bt709", 1), ("bt2020", 9), ("smpte240m", 7), ("fcc", 4))
AUTO_TRANSFER, SRGB = "auto", "srgb"
TRANSFERS = (AUTO_TRANSFER, "linear", SRGB, "bt709", "pq", "hlg")  # and gamma:G
SEGMENT_FRAMES = 64  # of an output that is made in parts
SLOWMO_TIMINGS = KEEP, STRETCH = ("keep", "stretch")
COMPARISONS = ("side", "split")

# Training data.
PUBLISHED_LAYOUTS = ("spk-gopro", "spk-x4k", "s-sdm")  # which a benchmark knows, too
TRAINING_LAYOUTS = ("simulate", "folders", *PUBLISHED_LAYOUTS)
MOST_THREADS = 1024  # each costs memory, and threads beyond the cores only wait for one another
