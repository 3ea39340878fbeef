//! A heap that gives equal keys in the order of C++'s LLVM library, whose `priority_queue` CatBoost uses: of
//! bins and of leaves that gain the same it depends on that which one is cut.

/// Items with a key; no key is larger than the one at half its place.
#[derive(Debug)]
pub(crate) struct Heap<T>(Vec<(f64, T)>);

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Heap<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn key(&self, at: usize) -> f64 {
        self.0.get(at).map_or(f64::NEG_INFINITY, |item| item.0)
    }

    /// Lets an item rise to its place.
    fn rise(&mut self, mut at: usize) {
        while at > 0 && self.key((at - 1) / 2) < self.key(at) {
            self.0.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    pub(crate) fn push(&mut self, key: f64, item: T) {
        self.0.push((key, item));
        self.rise(self.0.len() - 1);
    }

    /// Takes out the item with the largest key. The gap sinks to the end of the heap, along the larger keys, the
    /// last item is put there, and rises.
    pub(crate) fn pop(&mut self) -> Option<(f64, T)> {
        let count = self.0.len();
        let mut gap = 0;
        while 2 * gap + 1 < count {
            let mut child = 2 * gap + 1;
            if child + 1 < count && self.key(child) < self.key(child + 1) {
                child += 1;
            }
            self.0.swap(gap, child);
            gap = child;
        }
        let last = self.0.pop()?;
        if gap == self.0.len() {
            return Some(last);
        }
        let first = std::mem::replace(&mut self.0[gap], last);
        self.rise(gap);
        Some(first)
    }

    pub(crate) fn into_items(self) -> impl Iterator<Item = T> {
        self.0.into_iter().map(|item| item.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_key_comes_first() {
        let mut heap = Heap::default();
        for (k, key) in [3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0].into_iter().enumerate() {
            heap.push(key, k);
        }
        assert_eq!(heap.len(), 7);
        let order = std::iter::from_fn(|| heap.pop().map(|item| item.1));
        assert_eq!(order.collect::<Vec<_>>(), [4, 6, 2, 0, 5, 3, 1]);
        assert!(heap.pop().is_none());
    }
}
