#!/usr/bin/env python3
"""Makes the ONNX files of this folder, the rows they are tried on, and what onnxruntime says of them.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python make.py

Everything is seeded. expected.txt has one line per model: its name, then one score per row of rows.txt. A score is the
last column of the output that Lapwing takes; scores where lower is stranger are negated.
"""
import pathlib
import warnings

import lightgbm
import numpy as np
import onnx
import onnxruntime
import xgboost
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import refused

warnings.filterwarnings("ignore")
FOLDER = pathlib.Path(__file__).parent
WIDTH = 4
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
expected = []


def save(name, model, sign=1.0, rows=None):
    """Writes a model and notes its scores, the last of its outputs."""
    model.producer_name = ""
    data = model.SerializeToString()
    (FOLDER / f"{name}.onnx").write_bytes(data)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    fed = {session.get_inputs()[0].name: ROWS if rows is None else rows}
    scores = session.run(None, fed)[-1]
    if isinstance(scores, list):
        scores = [list(row.values())[-1] for row in scores]
    scores = np.asarray(scores, dtype=np.float64).reshape(len(ROWS), -1)[:, -1]
    assert np.isfinite(scores).all(), name
    expected.append(f"{name} " + " ".join(f"{sign * score:.9g}" for score in scores))


def single(nodes, outputs, constants=(), elem=TensorProto.FLOAT):
    """A model of one graph over the usual input."""
    inputs = [helper.make_tensor_value_info("x", elem, [None, WIDTH])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def random_trees(rng, trees, levels, modes, positive=False, targets=1):
    """Node lists of random trees; thresholds from a small grid, so that equal values are met."""
    lists = {key: [] for key in ["treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids",
                                 "missing_value_tracks_true"]}
    weights = {"treeids": [], "nodeids": [], "ids": [], "weights": []}

    def node(tree, number, level):
        leaf = level == levels or (level > 0 and rng.random() < 0.2)
        lists["treeids"].append(tree)
        lists["nodeids"].append(number)
        lists["featureids"].append(0 if leaf else int(rng.integers(WIDTH)))
        lists["modes"].append("LEAF" if leaf else str(rng.choice(modes)))
        odd = rng.choice([np.inf, -np.inf, 0.0]) if rng.random() < 0.15 else rng.integers(-3, 4) / 2
        lists["values"].append(0.0 if leaf else float(odd))
        lists["truenodeids"].append(0 if leaf else 2 * number + 1)
        lists["falsenodeids"].append(0 if leaf else 2 * number + 2)
        lists["missing_value_tracks_true"].append(int(rng.integers(2)))
        if leaf:
            weights["treeids"].append(tree)
            weights["nodeids"].append(number)
            weights["ids"].append(int(rng.integers(targets)))
            weights["weights"].append(float(rng.random() / trees if positive else rng.normal()))
        else:
            node(tree, 2 * number + 1, level + 1)
            node(tree, 2 * number + 2, level + 1)

    for tree in range(trees):
        node(tree, 0, 0)
    return {f"nodes_{key}": value for key, value in lists.items()}, weights


def tensor_out(name, columns):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, columns])


def regressor(name, seed, modes, **more):
    nodes, weights = random_trees(np.random.default_rng(seed), 5, 4, modes)
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, **nodes,
                            **{f"target_{key}": value for key, value in weights.items()}, **more)
    save(name, single([node], [tensor_out("y", 1)]))


def classifier(name, seed, positive, post, targets=1, **more):
    nodes, weights = random_trees(np.random.default_rng(seed), 4, 3, MODES, positive, targets)
    node = helper.make_node("TreeEnsembleClassifier", ["x"], ["l", "y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1],
                            post_transform=post, **nodes,
                            **{f"class_{key}": value for key, value in weights.items()}, **more)
    outputs = [helper.make_tensor_value_info("l", TensorProto.INT64, [None]), tensor_out("y", 2)]
    save(name, single([node], outputs))


def in_double(name, seed):
    """Thresholds that single precision cannot hold."""
    nodes, weights = random_trees(np.random.default_rng(seed), 5, 4, MODES[:4])
    values = np.asarray(nodes.pop("nodes_values"), dtype=np.float64)
    values = np.where(np.isfinite(values), values + 1e-12, values)
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, **nodes,
        nodes_values_as_tensor=numpy_helper.from_array(values, "v"),
        target_weights_as_tensor=numpy_helper.from_array(np.asarray(weights["weights"], dtype=np.float64), "w"),
        target_treeids=weights["treeids"], target_nodeids=weights["nodeids"], target_ids=weights["ids"])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    save(name, single([node], [output], elem=TensorProto.DOUBLE), rows=ROWS.astype(np.float64))


def by_place(name):
    """Operator TreeEnsemble of opset 5: two trees, one of them a single leaf."""
    node = helper.make_node(
        "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, aggregate_function=1, post_transform=0,
        tree_roots=[0, 3], nodes_featureids=[0, 1, 2, 0], nodes_truenodeids=[1, 0, 2, 4], nodes_trueleafs=[0, 1, 1, 1],
        nodes_falsenodeids=[2, 1, 3, 4], nodes_falseleafs=[0, 1, 1, 1],
        nodes_modes=numpy_helper.from_array(np.array([0, 1, 3, 0], dtype=np.uint8), "m"),
        nodes_splits=numpy_helper.from_array(np.array([0.25, -0.5, 0.5, 0.0], dtype=np.float32), "s"),
        nodes_missing_value_tracks_true=[1, 0, 1, 0], leaf_targetids=[0, 0, 0, 0, 0],
        leaf_weights=numpy_helper.from_array(np.array([1.5, -2.0, 0.25, 4.0, 8.0], dtype=np.float32), "w"))
    model = single([node], [tensor_out("y", 1)])
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 5)])
    save(name, model)


def autoencoder(name):
    """Mean square of what two dense layers do not give back, over values without missing ones."""
    rng = np.random.default_rng(9)
    constants = [numpy_helper.from_array(array.astype(np.float32), key) for key, array in {
        "w1": rng.normal(size=(WIDTH, 3)), "b1": rng.normal(size=3), "w2": rng.normal(size=(3, WIDTH)),
        "b2": rng.normal(size=WIDTH)}.items()]
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="encode"),
        helper.make_node("Relu", ["h"], ["a"]),
        helper.make_node("MatMul", ["a", "w2"], ["m"]),
        helper.make_node("Add", ["m", "b2"], ["r"]),
        helper.make_node("Sub", ["x", "r"], ["d"]),
        helper.make_node("Mul", ["d", "d"], ["s"]),
        helper.make_node("ReduceMean", ["s"], ["y"], axes=[1], keepdims=0),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])
    save(name, single(nodes, [output], constants), rows=FILLED)


def main():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, WIDTH)).astype(np.float32)
    holes = x.copy()
    holes[rng.random(holes.shape) < 0.1] = np.nan
    filled = np.nan_to_num(holes)
    two = (filled[:, 0] + filled[:, 1] * filled[:, 2] > 0.8).astype(int)
    three = two + (filled[:, 3] > 1)
    codes = x.copy()
    codes[:, 3] = rng.integers(0, 6, size=len(x))
    kinds = [("input", FloatTensorType([None, WIDTH]))]

    save("sk_forest", to_onnx(RandomForestClassifier(8, max_depth=6, random_state=0).fit(x, two), x[:1]))
    no_map = {"zipmap": False}
    save("sk_forest_three", to_onnx(RandomForestClassifier(5, max_depth=5, random_state=0).fit(x, three), x[:1],
                                    options=no_map))
    boosting = dict(n_estimators=8, max_depth=3, random_state=0)
    save("sk_boosting", to_onnx(GradientBoostingClassifier(**boosting).fit(x, two), x[:1], options=no_map))
    save("sk_boosting_three", to_onnx(GradientBoostingClassifier(**boosting).fit(x, three), x[:1], options=no_map))
    save("sk_regressor", to_onnx(RandomForestRegressor(6, max_depth=5, random_state=0).fit(x, filled[:, 0]), x[:1]))
    steps = make_pipeline(SimpleImputer(), StandardScaler(), GradientBoostingClassifier(**boosting))
    save("sk_imputed_scaled", to_onnx(steps.fit(holes, two), x[:1], options=no_map))
    steps = make_pipeline(MinMaxScaler(), RandomForestClassifier(4, max_depth=5, random_state=0))
    save("sk_min_max", to_onnx(steps.fit(x, two), x[:1], options=no_map))
    forest = IsolationForest(n_estimators=10, max_samples=64, random_state=0).fit(x)
    save("sk_isolation", to_onnx(forest, x[:1], target_opset={"": 18, "ai.onnx.ml": 3}), sign=-1.0)
    network = MLPClassifier((6,), random_state=0, max_iter=300).fit(x, two)
    save("sk_network", to_onnx(network, x[:1], options=no_map, target_opset=18), rows=FILLED)
    steps = make_pipeline(StandardScaler(), MLPClassifier((6, 3), random_state=0, max_iter=300))
    save("sk_scaled_network", to_onnx(steps.fit(x, three), x[:1], target_opset=18), rows=FILLED)
    save("sk_logistic", to_onnx(LogisticRegression().fit(x, two), x[:1], target_opset=18), rows=FILLED)

    leaves = dict(n_estimators=8, num_leaves=12, max_depth=6, verbose=-1, random_state=0, n_jobs=1)
    light = lightgbm.LGBMClassifier(**leaves).fit(holes, two)
    save("lgb_missing", convert_lightgbm(light, initial_types=kinds))
    light = lightgbm.LGBMClassifier(**leaves).fit(holes, three)
    save("lgb_three", convert_lightgbm(light, initial_types=kinds, zipmap=False))
    light = lightgbm.LGBMRegressor(min_data_per_group=1, **leaves).fit(codes, filled[:, 0] + (codes[:, 3] % 2),
                                                                      categorical_feature=[3])
    save("lgb_categories", convert_lightgbm(light, initial_types=kinds))
    rounds = dict(n_estimators=8, max_depth=4, random_state=0, n_jobs=1)
    save("xgb_missing", convert_xgboost(xgboost.XGBClassifier(**rounds).fit(holes, two), initial_types=kinds))
    save("xgb_three", convert_xgboost(xgboost.XGBClassifier(**rounds).fit(holes, three), initial_types=kinds))
    save("xgb_regressor", convert_xgboost(xgboost.XGBRegressor(**rounds).fit(holes, filled[:, 0]), initial_types=kinds))

    for index, mode in enumerate(MODES):
        regressor(f"made_{mode[7:].lower()}", 20 + index, [mode])
    regressor("made_all_modes", 30, MODES)
    regressor("made_average", 31, MODES, aggregate_function="AVERAGE", base_values=[0.75])
    regressor("made_logistic", 32, MODES, post_transform="LOGISTIC")
    for post in ["NONE", "LOGISTIC", "SOFTMAX"]:
        classifier(f"made_mixed_{post.lower()}", 40, False, post)
        classifier(f"made_positive_{post.lower()}", 41, True, post)
        classifier(f"made_based_{post.lower()}", 42, False, post, base_values=[0.5])
        classifier(f"made_both_classes_{post.lower()}", 43, False, post, targets=2)
    in_double("made_double", 50)
    by_place("made_by_place")
    autoencoder("made_autoencoder")

    refused.write(FOLDER / "refused")
    check_written()
    lines = [" ".join("nan" if np.isnan(value) else f"{value:.9g}" for value in row) for row in ROWS]
    (FOLDER / "rows.txt").write_text("\n".join(lines) + "\n")
    (FOLDER / "expected.txt").write_text("\n".join(expected) + "\n")


def check_written():
    """written.onnx is made by Lapwing; onnxruntime must give the sums that Lapwing gives."""
    session = onnxruntime.InferenceSession((FOLDER / "written.onnx").read_bytes())
    scores = session.run(["score"], {"rows": ROWS})[0].ravel()
    np.testing.assert_allclose(scores, np.loadtxt(FOLDER / "written.txt"), rtol=1e-6)


def rows_to_try():
    """Bell-shaped rows, some on the thresholds' grid, a few far out, and every third with missing values."""
    rng = np.random.default_rng(7)
    rows = (rng.normal(size=(60, WIDTH)) * 1.5).astype(np.float32)
    rows[20:40] = np.round(rows[20:40] * 2) / 2
    rows[58] = [100, -100, 1e4, -1e4]
    rows[59] = np.nan
    rows[::3][rng.random((20, WIDTH)) < 0.4] = np.nan
    return rows


ROWS = rows_to_try()
# What a model without a notion of missing values is fed instead: the median of the other rows.
FILLED = np.where(np.isnan(ROWS), np.nanmedian(ROWS, axis=0), ROWS).astype(np.float32)

if __name__ == "__main__":
    main()
