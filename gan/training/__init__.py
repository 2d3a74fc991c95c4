"""Training: the GAN step, the loop round it, and what comes before the first step."""
