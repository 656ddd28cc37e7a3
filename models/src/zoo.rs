//! Our own small trained models, with 64 real images and labels each, inside the binary.
//!
//! Where they come from and under which licences is in `models/zoo/README.md`.

use ndarray::{ArrayD, Axis};
use ndarray_npy::WriteNpyExt;

use crate::compile::{CompileOptions, Compiled, Model};
use crate::data::{Calibration, Sample};
use crate::error::ModelError;

/// A bundled model with data.
pub struct ZooModel {
    /// Its name.
    pub name: &'static str,
    /// The ONNX file.
    pub onnx: &'static [u8],
    /// A `.npy` file of bytes: 64 images along the leading axis, which [`Self::divisor`] scales.
    pub images_npy: &'static [u8],
    /// A `.npy` file of bytes: the true class of each image.
    pub labels_npy: &'static [u8],
    /// What a byte of an image is divided by to be an input of the model.
    pub divisor: f32,
    /// What it is, in a few words.
    pub description: &'static str,
}

static ENTRIES: [ZooModel; 4] = [
    ZooModel {
        name: "digits8x8_mlp",
        onnx: include_bytes!("../zoo/digits8x8_mlp.onnx"),
        images_npy: include_bytes!("../zoo/digits_images.npy"),
        labels_npy: include_bytes!("../zoo/digits_labels.npy"),
        divisor: 16.0,
        description: "two dense layers, 2,410 parameters, handwritten digits of 8x8 pixels",
    },
    ZooModel {
        name: "mnist_mlp",
        onnx: include_bytes!("../zoo/mnist_mlp.onnx"),
        images_npy: include_bytes!("../zoo/mnist_images.npy"),
        labels_npy: include_bytes!("../zoo/mnist_labels.npy"),
        divisor: 255.0,
        description: "three dense layers, 109,386 parameters, MNIST digits",
    },
    ZooModel {
        name: "mnist_cnn_tiny",
        onnx: include_bytes!("../zoo/mnist_cnn_tiny.onnx"),
        images_npy: include_bytes!("../zoo/mnist_images.npy"),
        labels_npy: include_bytes!("../zoo/mnist_labels.npy"),
        divisor: 255.0,
        description: "two small convolutions and a dense layer, 2,202 parameters, MNIST digits",
    },
    ZooModel {
        name: "mnist_lenet5",
        onnx: include_bytes!("../zoo/mnist_lenet5.onnx"),
        images_npy: include_bytes!("../zoo/mnist_images.npy"),
        labels_npy: include_bytes!("../zoo/mnist_labels.npy"),
        divisor: 255.0,
        description: "LeNet-5: two convolutions and three dense layers, 61,706 parameters, MNIST digits",
    },
];

/// All bundled models, the smallest first.
pub fn entries() -> &'static [ZooModel] {
    &ENTRIES
}

/// The bundled model of this name.
pub fn find(name: &str) -> Option<&'static ZooModel> {
    ENTRIES.iter().find(|model| model.name == name)
}

impl ZooModel {
    /// The model, ready to compile.
    ///
    /// # Errors
    ///
    /// None that a test of this crate would not have met.
    pub fn model(&self) -> Result<Model, ModelError> {
        Model::from_bytes(self.onnx)
    }

    /// The images as inputs of the model.
    ///
    /// # Errors
    ///
    /// As of [`Self::model`].
    pub fn calibration(&self) -> Result<Calibration, ModelError> {
        Ok(Calibration::from_array(self.images()?))
    }

    /// The images one by one.
    ///
    /// # Errors
    ///
    /// As of [`Self::model`].
    pub fn samples(&self) -> Result<Vec<Sample>, ModelError> {
        self.calibration()?.samples(self.model()?.inputs())
    }

    /// The images, scaled, along the leading axis.
    ///
    /// # Errors
    ///
    /// As of [`Self::model`].
    pub fn images(&self) -> Result<ArrayD<f32>, ModelError> {
        let bytes = crate::data::array_from_npy(self.images_npy, self.name)?;
        Ok(bytes.mapv(|x| x / self.divisor))
    }

    /// The images, scaled, as a `.npy` file: data for `compile` and `prove`.
    ///
    /// # Errors
    ///
    /// As of [`Self::model`].
    pub fn images_file(&self) -> Result<Vec<u8>, ModelError> {
        let mut file = Vec::new();
        self.images()?.write_npy(&mut file).map_err(|error| ModelError::data(self.name, error.to_string()))?;
        Ok(file)
    }

    /// One image's pixels before scaling.
    ///
    /// # Errors
    ///
    /// As of [`Self::model`], or if there is no such image.
    pub fn pixels(&self, index: usize) -> Result<ArrayD<f32>, ModelError> {
        let all = crate::data::array_from_npy(self.images_npy, self.name)?;
        if index >= all.len_of(Axis(0)) {
            return Err(ModelError::data(self.name, format!("it has {} images only", all.len_of(Axis(0)))));
        }
        Ok(all.index_axis_move(Axis(0), index))
    }

    /// The true classes.
    ///
    /// # Errors
    ///
    /// As of [`Self::model`].
    pub fn labels(&self) -> Result<Vec<usize>, ModelError> {
        let bytes = crate::data::array_from_npy(self.labels_npy, self.name)?;
        Ok(bytes.iter().map(|&label| label as usize).collect())
    }

    /// Compiles it, calibrated on its own images.
    ///
    /// # Errors
    ///
    /// As of [`Self::model`].
    pub fn compile(&self, progress: &mut dyn FnMut(&str)) -> Result<Compiled, ModelError> {
        let options = CompileOptions { name: Some(self.name.to_string()), ..CompileOptions::default() };
        self.model()?.compile(&self.calibration()?, &options, progress)
    }
}
