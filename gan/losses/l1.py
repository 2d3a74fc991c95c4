"""Pixel reconstruction."""

from torch import Tensor

from gan.losses.base import Loss, Step


class L1(Loss):
    """Mean absolute difference of the drawn and the true face in the decoder's pixel space, summed over resolutions.

    The published weights hold in the space they were found in: unit for Wav2Pix (50), ImageNet-standardised for SF2F (10).
    """

    def __init__(self, weight: float):
        super().__init__(weight)

    def generator(self, step: Step) -> Tensor:
        terms = [(fake.float() - step.real[size]).abs().mean() for size, fake in step.fake.items()]
        return sum(terms[1:], terms[0])
