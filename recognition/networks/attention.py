"""Transformers that look at pictures: MViT-V2-S and Swin3D-T (torchvision), VideoMAE (Hugging Face's transformers)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

MVIT_WIDTHS = (96, 192, 384, 768)
"""Channels of MViT-V2-S's four stages; each has one head for 96 of them."""
MVIT_BLOCKS = (1, 2, 11, 2)
"""Blocks of its stages."""


def mvit_v2_s(classes: int, *, frames: int, size: int) -> nn.Module:
    """MViT-V2-S: 34 M weights, made for 16 frames at 224 px. Its relative places depend on the size, and so do its weights.

    Source:
        Li et al. 2022, "MViTv2", as in ``torchvision.models.video.mvit_v2_s``, which takes no other size.
    """
    from torchvision.models.video.mvit import MSBlockConfig, MViT

    stages = [stage for stage, blocks in enumerate(MVIT_BLOCKS) for _ in range(blocks)]
    blocks = []
    for index, stage in enumerate(stages):
        first = index > 0 and stages[index - 1] < stage
        # A stage's first block widens and halves the queries' resolution; keys and values have one resolution in all stages.
        blocks.append(
            MSBlockConfig(
                num_heads=MVIT_WIDTHS[stage] // 96,
                input_channels=MVIT_WIDTHS[stage - 1 if first else stage],
                output_channels=MVIT_WIDTHS[stage],
                kernel_q=[3, 3, 3],
                kernel_kv=[3, 3, 3],
                stride_q=[1, 2, 2] if first else [1, 1, 1],
                stride_kv=[1, 8 >> stage, 8 >> stage],
            )
        )
    return MViT(
        spatial_size=(size, size),
        temporal_size=frames,
        block_setting=blocks,
        residual_pool=True,
        residual_with_cls_embed=False,
        rel_pos_embed=True,
        proj_after_attn=True,
        stochastic_depth_prob=0.2,
        num_classes=classes,
    )


def swin3d_t(classes: int, *, frames: int, size: int) -> nn.Module:
    """Swin3D-T: 28 M weights, made for 32 frames at 224 px."""
    from torchvision.models.video import swin3d_t as build

    del frames, size  # it pads
    return build(weights=None, num_classes=classes)


class _Logits(nn.Module):
    """VideoMAE's classifier, taking channels first and giving logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, video: Float[Tensor, "b 3 t h w"]) -> Float[Tensor, "b c"]:
        return self.network(video.transpose(1, 2)).logits


def videomae_s(classes: int, *, frames: int, size: int) -> nn.Module:
    """VideoMAE with ViT-S: 22 M weights, made for 16 frames at 224 px.

    Raises:
        ValueError: If transformers is not installed.
    """
    try:
        from transformers import VideoMAEConfig, VideoMAEForVideoClassification
    except ImportError as error:
        raise ValueError("model 'videomae_s' needs transformers: pip install transformers") from error
    config = VideoMAEConfig(image_size=size, num_frames=frames, hidden_size=384, num_attention_heads=6, intermediate_size=1536)
    config.num_labels = classes
    return _Logits(VideoMAEForVideoClassification(config))
