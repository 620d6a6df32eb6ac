use crate::matrix::Matrix;

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
