"""What a program that scores faces needs: fill a Trial, call Metrics, read Scores."""

from evaluation.metrics.base import Metric, Score, Trial

__all__ = ["Metric", "Score", "Trial"]
