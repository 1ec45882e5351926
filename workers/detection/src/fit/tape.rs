//! The way back through a chain of operations.
//!
//! candle's own graph adds every gradient to zeros first and shares such additions out among threads that spin while
//! they wait. For a chain, in which each result is used once, there is nothing to add: each operation's `bwd` is called
//! with the gradient of its output.

use candle_core::backprop::GradStore;
use candle_core::{CustomOp1, CustomOp2, CustomOp3, Result, Tensor, Var};

/// What an operation gives back: its input's gradient, where it is wanted, and its variables' own.
type Back = (Option<Tensor>, Vec<(Var, Tensor)>);

/// An operation that waits for the gradient of its output.
type Step = Box<dyn FnOnce(&Tensor) -> Result<Back>>;

/// The operations so far, each waiting for the gradient of its output.
#[derive(Default)]
pub(super) struct Tape {
    steps: Vec<Step>,
}

impl Tape {
    /// An operation on the last one's output.
    pub(super) fn apply1<C: CustomOp1 + 'static>(&mut self, input: &Tensor, operation: C) -> Result<Tensor> {
        let output = input.apply_op1_no_bwd(&operation)?;
        let (input, kept) = (input.clone(), output.clone());
        self.steps.push(Box::new(move |gradient| {
            Ok((operation.bwd(&input, &kept, &gradient.reshape(kept.shape())?)?, Vec::new()))
        }));
        Ok(output)
    }

    /// An operation on the last one's output and a variable.
    pub(super) fn apply2<C: CustomOp2 + 'static>(
        &mut self,
        input: &Tensor,
        variable: &Var,
        operation: C,
    ) -> Result<Tensor> {
        let output = input.apply_op2_no_bwd(variable, &operation)?;
        let (input, variable, kept) = (input.clone(), variable.clone(), output.clone());
        self.steps.push(Box::new(move |gradient| {
            let (of_input, of_variable) = operation.bwd(&input, &variable, &kept, &gradient.reshape(kept.shape())?)?;
            Ok((of_input, of_variable.map(|of_variable| (variable, of_variable)).into_iter().collect()))
        }));
        Ok(output)
    }

    /// An operation on the last one's output and two variables.
    pub(super) fn apply3<C: CustomOp3 + 'static>(
        &mut self,
        input: &Tensor,
        first: &Var,
        second: &Var,
        operation: C,
    ) -> Result<Tensor> {
        let output = input.apply_op3_no_bwd(first, second, &operation)?;
        let (input, first, second, kept) = (input.clone(), first.clone(), second.clone(), output.clone());
        self.steps.push(Box::new(move |gradient| {
            let (of_input, of_first, of_second) =
                operation.bwd(&input, &first, &second, &kept, &gradient.reshape(kept.shape())?)?;
            let of_variables = [(first, of_first), (second, of_second)].into_iter();
            Ok((of_input, of_variables.filter_map(|(variable, of)| Some((variable, of?))).collect()))
        }));
        Ok(output)
    }

    /// Gradients of the last output, a scalar, by all variables.
    pub(super) fn gradients(self, loss: &Tensor) -> Result<GradStore> {
        let mut gradients = GradStore::default();
        let mut gradient = Some(loss.ones_like()?);
        for step in self.steps.into_iter().rev() {
            let Some(of_output) = gradient else { break };
            let (of_input, of_variables) = step(&of_output)?;
            for (variable, of_variable) in of_variables {
                gradients.insert(&variable, of_variable);
            }
            gradient = of_input;
        }
        Ok(gradients)
    }
}
