"""Operations on tensors that are no layers: arithmetic, slices, reductions, and what else users write in functions.

Keras 2 exports them under TensorFlow's names, Keras 3 under its own. `tensorflow.py` and `keras_3.py` say which of the
implementations here each name means and how it calls the arguments; an implementation exists once:

- `pointwise.py`: element by element, with numpy's rule for operands of other extents;
- `axes.py`: reductions and whatever else works along named axes;
- `slicing.py`: parts of a tensor;
- `rearranging.py`: shapes, orders of axes, products of matrices;
- `images.py`: images and windows.

An implementation is a function of operands (`operands.Operand`) and settings that returns a `Layer`; it is listed in
its module's `OPERATIONS`.
"""
