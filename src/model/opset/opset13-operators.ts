const lines = [
  // Opsets 8 to 13 gave these more element types, negative axes or options whose absence means what it meant.
  'Abs Add ArgMax ArgMin AveragePool Cast Ceil Compress Concat Constant Conv DepthToSpace DequantizeLinear Div Equal Exp Expand',
  'Flatten Floor Gather GatherElements GatherND Gemm Greater Identity LRN Less Log LpPool MatMul Max MaxPool MaxUnpool Mean Min',
  'Mod Mul Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero PRelu Pow QuantizeLinear Reciprocal ReduceL1 ReduceL2',
  'ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare Relu Reshape ScatterElements ScatterND',
  'Shape Sigmoid Sign Size SoftmaxCrossEntropyLoss SpaceToDepth Sqrt Sub Sum Tanh Tile Transpose IsNaN',
  // What branches and bodies of loops may hold has grown; they are rewritten themselves.
  'If Loop',
  // The formula for odd padding was corrected, and indices below 0 were given a meaning: ONNX Runtime computes both
  // alike in every opset.
  'ConvTranspose OneHot',
  // Unchanged from the opset that brought them up to 13.
  'Acos Acosh And Asin Asinh Atan Atanh BitShift Celu ConcatFromSequence ConstantOfShape ConvInteger Cos Cosh CumSum Det',
  'DynamicQuantizeLinear Einsum Elu EyeLike GRU GlobalAveragePool GlobalLpPool GlobalMaxPool GreaterOrEqual HardSigmoid',
  'InstanceNormalization IsInf LSTM LeakyRelu LessOrEqual LpNormalization MatMulInteger MaxRoiPool Multinomial Not Or QLinearConv',
  'QLinearMatMul RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range ReverseSequence RoiAlign Round Selu',
  'SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength Shrink Sin Sinh Softplus Softsign',
  'SplitToSequence StringNormalizer Tan TfIdfVectorizer ThresholdedRelu Unique Where Xor',
  // ONNX Runtime's own in the standard domain, the same in every opset up to 13.
  'Affine Crop DynamicSlice ImageScaler LayerNormalization ParametricSoftplus ScaledTanh SimplifiedLayerNormalization',
];

/** Standard operators whose nodes mean in opset 13 what they mean in opsets 7 to 12, from the operators' changelog. */
export const unchangedOperators: ReadonlySet<string> = new Set(lines.flatMap((line) => line.split(' ')));
