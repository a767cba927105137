"""Model files of the SMPL family, made from the open body."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from augment.body.model import Body
from augment.types import SMPL_PARENTS


def family_file(body: Body, joints: int, path: Path) -> Path:
    """A model file of SMPL's (24), SMPL-H's (52) or SMPL-X's (55) layout, made from the open body by adding bones."""
    first_hand = 25 if joints == 55 else 22
    face, fingers = [15] * (first_hand - 22), (joints - first_hand) // 2
    parents = list(SMPL_PARENTS) if joints == 24 else [*SMPL_PARENTS[:22], *face, *[20] * fingers, *[21] * fingers]
    hands = [first_hand + 3, first_hand + 3 + fingers] if joints > 24 else [22, 23]  # the middle fingers stand for the hands
    columns = np.array([*range(22), *hands])
    model = body.model
    vertices = model.v_template.numpy()

    def spread(rows):
        wide = np.repeat(rows[15:16], joints, axis=0)
        wide[columns] = rows
        return wide

    weights = np.zeros((len(vertices), joints))
    weights[:, columns] = model.lbs_weights.numpy()
    arrays = {
        "v_template": vertices,
        "shapedirs": np.concatenate([model.shapedirs.numpy()] * (1 if joints != 55 else 40), axis=2),
        "posedirs": np.zeros((len(vertices), 3, 9 * (joints - 1)), np.float32),
        "J_regressor": spread(model.J_regressor.numpy()),
        "weights": weights,
        "kintree_table": np.array([parents, range(joints)]),
        "f": body.faces,
    }
    if joints == 55:
        arrays |= {"lmk_faces_idx": np.zeros(51, int), "lmk_bary_coords": np.full((51, 3), 1 / 3)}
        arrays |= {"dynamic_lmk_faces_idx": np.zeros((79, 17), int), "dynamic_lmk_bary_coords": np.full((79, 17, 3), 1 / 3)}
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        path.write_bytes(pickle.dumps(arrays))
    return path
