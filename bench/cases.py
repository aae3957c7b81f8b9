"""The models that are measured: those of models/ that compute in floats, and those of make_models.py. Each with one input, batch 1."""
import os
from dataclasses import dataclass
from typing import Callable

import numpy as np
import onnx
from onnx import numpy_helper

import make_models
from subjects import BUILD, ROOT

MODELS = os.path.join(ROOT, "models")


@dataclass
class Case:
    what: str
    origin: str                 # shipped or generated
    path: Callable[[], str]     # makes the model where need be
    feeds: Callable[[str], dict]


def input_names(model):
    graph = onnx.load(model, load_external_data=False).graph
    constants = {t.name for t in graph.initializer}
    return [i.name for i in graph.input if i.name not in constants]


def review(length):
    """The first test review as the model's inputs."""
    data = np.load(os.path.join(MODELS, "bert-tiny-imdb", "test_5000.npz"))
    feeds = {name: data[name][:1, :length].astype(np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    if feeds["attention_mask"][0, -1]:
        feeds["input_ids"][0, -1] = 102
    return feeds


def digit(_):
    """The first test digit."""
    return {"input": np.load(os.path.join(MODELS, "mnist-cnn", "test_10000.npz"))["input"][:1].astype(np.float32) / np.float32(255)}


def sample(model):
    """The first sample input beside a model."""
    feeds = {}
    for i, name in enumerate(input_names(model)):
        made = onnx.TensorProto()
        with open(os.path.join(os.path.dirname(model), "test_data_set_0", f"input_{i}.pb"), "rb") as f:
            made.ParseFromString(f.read())
        feeds[name] = numpy_helper.to_array(made)
    return feeds


def shipped(what, path, feeds=sample):
    return Case(what, "shipped", lambda: os.path.join(MODELS, path), feeds)


def tiny(what, name):
    return shipped(what, os.path.join("mlperf-tiny", name, "model.onnx"))


def generated(what, name):
    return Case(what, "generated", lambda: make_models.path_of(name), lambda path: make_models.random_feeds(onnx.load(path)))


CASES = {
    "relu": generated("one Relu of 16 values: what a run costs besides the work", "relu"),
    "autoencoder": tiny("autoencoder 640-128..640, MLPerf Tiny", "ad_autoencoder"),
    "autoencoder-bn": tiny("the same with BatchNormalization", "ad_autoencoder_bn"),
    "lenet": generated("LeNet-5, 28x28", "lenet"),
    "mnist-mlp": shipped("MLP 784-128-64-10", "mnist-mlp/model.onnx", digit),
    "mlp-784": generated("MLP 784-512-256-10", "mlp_784"),
    "mlp-3x512": generated("MLP, three layers of 512", "mlp_3x512"),
    "mnist-cnn": shipped("two convolutions, two dense layers, 28x28", "mnist-cnn/model.onnx", digit),
    "wake-word": tiny("wake word, MLPerf Tiny", "sww_bn"),
    "ds-cnn": tiny("DS-CNN, spoken words, MLPerf Tiny", "kws_dscnn_bn"),
    "lstm": generated("LSTM of 128, 64 steps", "lstm"),
    "mobilenet-v1-025": tiny("MobileNetV1 0.25, 96x96, MLPerf Tiny", "vww_mobilenetv1_025"),
    "mobilenet-v1-025-bn": tiny("the same with BatchNormalization", "vww_bn"),
    "resnet8": tiny("ResNet-8, 32x32, MLPerf Tiny", "resnet8"),
    "resnet8-bn": tiny("the same with BatchNormalization", "resnet8_bn"),
    "bert-tiny-128": shipped("bert-tiny, 128 tokens", "bert-tiny-imdb/static_1x128.onnx", lambda _: review(128)),
    "bert-tiny-256": shipped("bert-tiny, 256 tokens", "bert-tiny-imdb/dynamic.onnx", lambda _: review(256)),
    "mobilenet-v2": generated("MobileNetV2, 224x224", "mobilenet_v2"),
    "bert-6x384": generated("BERT, 6 layers of 384, 128 tokens", "bert_6x384"),
    "resnet18": generated("ResNet-18, 224x224", "resnet18"),
}


def bound_copy(name, feeds):
    """The model in one file, its inputs' dimensions bound to those of the data: what every runtime gets."""
    model = onnx.load(CASES[name].path())
    for value in model.graph.input:
        if value.name in feeds:
            for dim, n in zip(value.type.tensor_type.shape.dim, feeds[value.name].shape):
                dim.dim_value = n
    path = os.path.join(BUILD, "bench", "bound", name + ".onnx")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    onnx.save(model, path)
    return path
