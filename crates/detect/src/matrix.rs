use crate::error::DetectError;

/// Rows of numbers, one after the other, as detectors read them. A missing value is NaN.
/// Shape: n rows × d columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    values: Vec<f32>,
    rows: usize,
    width: usize,
}

impl Matrix {
    /// A matrix in which every value is missing.
    pub fn missing(rows: usize, width: usize) -> Self {
        Self { values: vec![f32::NAN; rows * width], rows, width }
    }

    /// Takes values laid row by row. Errors: `Setting` if they do not fill whole rows.
    pub fn from_values(width: usize, values: Vec<f32>) -> Result<Self, DetectError> {
        if width == 0 || !values.len().is_multiple_of(width) {
            let text = format!("make a matrix: {} values do not fill rows of {width}", values.len());
            return Err(DetectError::Setting(text));
        }
        Ok(Self { rows: values.len() / width, values, width })
    }

    /// Takes rows of equal length. Errors: `Setting` if their lengths differ or are 0.
    pub fn from_rows<R: AsRef<[f32]>>(rows: &[R]) -> Result<Self, DetectError> {
        let width = rows.first().map_or(0, |row| row.as_ref().len());
        if let Some(odd) = rows.iter().find(|row| row.as_ref().len() != width) {
            let text = format!("make a matrix: a row has {} values, the first has {width}", odd.as_ref().len());
            return Err(DetectError::Setting(text));
        }
        Self::from_values(width, rows.iter().flat_map(|row| row.as_ref()).copied().collect())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Values of row `index`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..][..self.width]
    }

    /// All rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        (0..self.rows).map(|index| self.row(index))
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, row by row, to be written.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The values of one column that are not missing.
    pub fn present(&self, column: usize) -> Vec<f32> {
        self.iter().map(|row| row[column]).filter(|value| !value.is_nan()).collect()
    }

    /// A copy of the given columns, in the given order.
    pub fn select(&self, columns: &[usize]) -> Self {
        let mut values = Vec::with_capacity(self.rows * columns.len());
        for row in self.iter() {
            values.extend(columns.iter().map(|column| row[*column]));
        }
        Self { values, rows: self.rows, width: columns.len() }
    }

    /// A copy of the given rows, in the given order.
    pub fn take(&self, rows: &[usize]) -> Self {
        let mut values = Vec::with_capacity(rows.len() * self.width);
        for index in rows {
            values.extend_from_slice(self.row(*index));
        }
        Self { values, rows: rows.len(), width: self.width }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_picked_in_the_order_asked() {
        let matrix = Matrix::from_rows(&[[1.0, 2.0], [3.0, 4.0], [5.0, f32::NAN]]).unwrap();
        assert_eq!((matrix.rows(), matrix.width(), matrix.row(1)), (3, 2, &[3.0, 4.0][..]));
        assert_eq!(matrix.take(&[1, 0]).values(), &[3.0, 4.0, 1.0, 2.0]);
        assert_eq!(matrix.take(&[1, 0]).select(&[1]).values(), &[4.0, 2.0]);
        assert_eq!(matrix.present(1), vec![2.0, 4.0]);
    }

    #[test]
    fn values_that_do_not_fill_rows_are_refused() {
        for (width, values) in [(2, vec![1.0; 3]), (0, vec![])] {
            assert!(matches!(Matrix::from_values(width, values), Err(DetectError::Setting(_))));
        }
        assert!(matches!(Matrix::from_rows(&[vec![1.0], vec![]]), Err(DetectError::Setting(_))));
    }
}
