"""Overrides that make recipes small and quick."""

SMALL = {
    "wav2pix-64": [
        "encoder={name: segan, num_samples: 4096, channels: [4, 8], hidden: [8]}",
        "data.clip_seconds=[0.256, 0.256]",
        "decoder.width=4",
        "discriminators.conditional.width=4",
    ],
    "sf2f-64": [
        "encoder={name: inception1d, channels: [8], embedding_dim: 16}",
        "data.clip_seconds=[0.3, 0.4]",
        "decoder.width=16",
        "discriminators.image.width=4",
        "discriminators.identity.width=4",
        "losses.perceptual=null",
    ],
}
# Long enough that batch norm's running statistics let the voice through to the face.
TRAINED = {
    "wav2pix-64": [*SMALL["wav2pix-64"], "train.initialisation=default", "train.ema_decay=0.8"],
    "sf2f-64": SMALL["sf2f-64"],
}
QUICK = [
    "data.corpus=toy:tiny",
    "train.batch_size=8",
    "train.steps=30",
    "train.save_every=20",
    "train.device=cpu",
    "optimizer.generator.learning_rate=0.005",
    "logging.num_images=2",
    "logging.embeddings=0",
]
# Faces are compared pixel by pixel only: the frozen nets have their own tests.
ONLY_L1 = [
    "evaluation.runs=2",
    "evaluation.seconds=[0.3]",
    *(
        f"evaluation.metrics.{name}=null"
        for name in ("similarity", "recall", "landmarks_hog", "landmarks_mtcnn", "identity_accuracy", "frechet")
    ),
]
