"""Losses in the style of a well-known TensorFlow tutorial."""

import tensorflow as tf

EPSILON = 1e-7


def binary_cross_entropy(y_true, y_pred):
    return -tf.reduce_sum(
        y_true * tf.math.log(y_pred + EPSILON) + (1 - y_true) * tf.math.log(1 - y_pred + EPSILON)
    )


def categorical_cross_entropy(y_true, y_pred):
    return -tf.reduce_sum(y_true * tf.math.log(y_pred + EPSILON))


def mean_squared_error(y_true, y_pred):
    return tf.reduce_mean(tf.square(y_true - y_pred))
