"""ONNX files that must be refused: broken, hostile, or beyond what is supported. Called by make.py."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

WIDTH = 4


def small_tree(**changes):
    """One split and two leaves; `changes` replace attributes, None takes one out."""
    attributes = dict(
        n_targets=1, nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_values=[0.5, 0.0, 0.0], nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0], target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0],
        target_weights=[1.0, 2.0])
    attributes.update(changes)
    attributes = {key: value for key, value in attributes.items() if value is not None}
    return helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], name="trees", domain="ai.onnx.ml", **attributes)


def model(nodes, outputs=("y",), constants=(), elem=TensorProto.FLOAT, columns=WIDTH):
    inputs = [helper.make_tensor_value_info("x", elem, [None, columns])]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in outputs]
    graph = helper.make_graph(nodes, "g", inputs, made, list(constants))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 5)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def two_classes():
    classes = dict(classlabels_int64s=[0, 1], n_targets=None, target_treeids=None, target_nodeids=None,
                   target_ids=None, target_weights=None, class_treeids=[0, 0], class_nodeids=[1, 2],
                   class_ids=[0, 1], class_weights=[1.0, 2.0], base_values=[0.5, 0.25])
    node = small_tree(**classes)
    node.op_type = "TreeEnsembleClassifier"
    del node.output[:]
    node.output.extend(["l", "y"])
    return model([node])


def by_place(**changes):
    attributes = dict(
        n_targets=1, aggregate_function=1, post_transform=0, tree_roots=[0], nodes_featureids=[0, 1],
        nodes_truenodeids=[1, 0], nodes_trueleafs=[0, 1], nodes_falsenodeids=[0, 1], nodes_falseleafs=[1, 1],
        nodes_modes=np.array([0, 1], dtype=np.uint8), nodes_splits=np.array([0.25, -0.5], dtype=np.float32),
        leaf_targetids=[0, 0], leaf_weights=np.array([1.5, -2.0], dtype=np.float32))
    attributes.update(changes)
    attributes = {key: numpy_helper.from_array(value, key) if isinstance(value, np.ndarray) else value
                  for key, value in attributes.items()}
    return model([helper.make_node("TreeEnsemble", ["x"], ["y"], name="trees", domain="ai.onnx.ml", **attributes)])


def behind(operator, constants=(), inputs=(), **attributes):
    """A node behind the trees."""
    trees = small_tree()
    trees.output[0] = "sum"
    return model([trees, helper.make_node(operator, ["sum", *inputs], ["y"], name="after", **attributes)],
                 constants=constants)


def giant():
    tensor = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[1 << 40, 1 << 20])
    return behind("Add", [tensor], ["c"])


def elsewhere():
    tensor = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    return behind("Add", [tensor], ["c"])


def loop():
    nothing = helper.make_graph([helper.make_node("Identity", ["i"], ["o"])], "body", [], [])
    return model([helper.make_node("Loop", ["", "x"], ["y"], name="round", body=nothing)])


def out_of_order():
    nodes = [helper.make_node("Neg", ["sum"], ["y"], name="early"), small_tree()]
    nodes[1].output[0] = "sum"
    return model(nodes)


def in_a_circle():
    return model([helper.make_node("Add", ["x", "b"], ["a"], name="first"), helper.make_node("Neg", ["a"], ["b"]),
                  helper.make_node("Neg", ["b"], ["y"])])


def network(operator, shape, **attributes):
    constant = numpy_helper.from_array(np.asarray(shape, dtype=np.int64), "s")
    return model([helper.make_node(operator, [*([] if operator == "ConstantOfShape" else ["x"]), "s"], ["y"],
                                   name="big", **attributes)], constants=[constant])


def write(folder):
    folder.mkdir(exist_ok=True)
    files = {
        "two_bases": two_classes(),
        "circle": model([small_tree(nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"], nodes_truenodeids=[1, 1, 0],
                                    nodes_falsenodeids=[2, 2, 0], target_treeids=[0], target_nodeids=[2],
                                    target_ids=[0], target_weights=[1.0])]),
        "no_root": model([small_tree(nodes_truenodeids=[1, 2, 0], nodes_falsenodeids=[1, 2, 0],
                                     nodes_modes=["BRANCH_LEQ"] * 3, target_treeids=None, target_nodeids=None,
                                     target_ids=None, target_weights=None)]),
        "no_child": model([small_tree(nodes_truenodeids=[7, 0, 0])]),
        "negative_child": model([small_tree(nodes_truenodeids=[-1, 0, 0])]),
        "no_column": model([small_tree(nodes_featureids=[9, 0, 0])]),
        "no_number": model([small_tree(nodes_values=[float("nan"), 0.0, 0.0])]),
        "no_weight": model([small_tree(target_weights=[1.0, float("inf")])]),
        "no_output": model([small_tree(target_ids=[0, 5])]),
        "uneven": model([small_tree(nodes_values=[0.5])]),
        "twice": model([small_tree(nodes_nodeids=[0, 1, 1])]),
        "many_outputs": model([small_tree(n_targets=1 << 40)]),
        "two_columns": model([small_tree(n_targets=2, target_ids=[0, 1])]),
        "minimum": model([small_tree(aggregate_function="MIN")]),
        "probit": model([small_tree(post_transform="PROBIT")]),
        "odd_mode": model([small_tree(nodes_modes=["BRANCH_NEAR", "LEAF", "LEAF"])]),
        "membership": by_place(nodes_modes=np.array([6, 1], dtype=np.uint8)),
        "place_circle": by_place(nodes_truenodeids=[1, 0], nodes_trueleafs=[0, 0]),
        "place_beyond": by_place(nodes_falsenodeids=[9, 1]),
        "giant": giant(),
        "elsewhere": elsewhere(),
        "loop": loop(),
        "out_of_order": out_of_order(),
        "in_a_circle": in_a_circle(),
        "whole_numbers": model([small_tree()], elem=TensorProto.INT64),
        "five_columns": model([small_tree()], columns=5),
        "two_scores": model([small_tree(), helper.make_node("Neg", ["y"], ["z"])], outputs=("y", "z")),
        "sorted": behind("TopK", [numpy_helper.from_array(np.array([1], dtype=np.int64), "k")], ["k"]),
        "picks_rows": behind("Gather", [numpy_helper.from_array(np.array([0], dtype=np.int64), "k")], ["k"], axis=0),
        "joins_rows": behind("Add", [numpy_helper.from_array(np.ones((3, 1), dtype=np.float32), "c")], ["c"]),
        "network_constant_of_shape": network("ConstantOfShape", [1 << 40]),
        "network_expand": network("Expand", [1 << 40, WIDTH]),
        "network_tile": network("Tile", [1 << 20, 1 << 20]),
    }
    for name, made in files.items():
        (folder / f"{name}.onnx").write_bytes(made.SerializeToString())
