use crate::matrix::Matrix;

/// MAD × this estimates the standard deviation of normal data. Source: Rousseeuw, Croux 1993, section 1.
const MAD_TO_DEVIATION: f32 = 1.4826;
/// Interquartile range ÷ this estimates the standard deviation of normal data (2 × the normal quantile of 0.75).
pub(crate) const IQR_PER_DEVIATION: f32 = 1.349;

/// Returns the value below which `share` of the values lie, linear between neighbours; reorders `values`.
/// 0 if there is none. Source: Hyndman, Fan 1996, definition 7.
pub(crate) fn quantile(values: &mut [f32], share: f64) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let place = share * (values.len() - 1) as f64;
    let below = place.floor() as usize;
    let (_, low, above) = values.select_nth_unstable_by(below, f32::total_cmp);
    let low = *low;
    let weight = place - below as f64;
    if weight == 0.0 {
        return low;
    }
    let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
    (f64::from(low) * (1.0 - weight) + f64::from(high) * weight) as f32
}

/// Returns the median of each column, missing values left out.
pub(crate) fn medians(rows: &Matrix) -> Vec<f32> {
    (0..rows.width()).map(|column| quantile(&mut rows.present(column), 0.5)).collect()
}

/// Returns median and scale. Where more than half of the values are equal, the MAD is 0 and says nothing; the
/// interquartile range is asked next, then the standard deviation. A column that never varied is taken as if one of
/// its n values had differed by 1, so its deviation is √(1/n): a unit step away from a long constant past is very
/// strange, from a short one less so, and rounding noise is not strange at all.
pub(crate) fn centre_and_scale(mut values: Vec<f32>) -> (f32, f32) {
    let median = quantile(&mut values, 0.5);
    let spread = quantile(&mut values, 0.75) / IQR_PER_DEVIATION - quantile(&mut values, 0.25) / IQR_PER_DEVIATION;
    let deviation = standard_deviation(&values);
    let rows = values.len().max(1) as f32;
    let mut distances = values;
    distances.iter_mut().for_each(|value| *value = (*value - median).abs());
    let mad = quantile(&mut distances, 0.5) * MAD_TO_DEVIATION;
    let scale = [mad, spread, deviation].into_iter().find(|scale| usable(*scale));
    (median, scale.unwrap_or(rows.recip().sqrt()))
}

/// Subnormal scales are rounding noise, infinite ones are overflow.
pub(crate) fn usable(scale: f32) -> bool {
    scale.is_normal() && scale > 0.0
}

pub(crate) fn standard_deviation(values: &[f32]) -> f32 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let squares = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>();
    (squares / count).sqrt() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(&mut [4.0, 1.0, 3.0, 2.0], 0.5), 2.5);
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&mut [5.0, 1.0, 2.0, 3.0, 4.0], 0.25), 2.0);
        assert_eq!(quantile(&mut [7.0], 1.0), 7.0);
        assert_eq!(quantile(&mut [], 0.5), 0.0);
    }
}
