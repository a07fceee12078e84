"""What a trainer is asked. adapters/PROTOCOL.md, «Training»."""


class TrainingAnswers:
    """The questions that begin with `train-`; at most one training a process."""

    session = None

    def on_train_prepare(self, question):
        from .. import device as devices
        from ..kernels import tiles
        from .session import Session

        tiles.recompute = False

        device = devices.of_backend(question['backend'])
        devices.settle(question.get('threads'))
        devices.settle_allocator()
        self.session = Session(question, device)
        return {'parameters': sum(weight.numel() for weight in self.session.model.parameters.values())}

    def on_train_epoch(self, question):
        return self.training().epoch(question)

    def on_train_evaluate(self, question):
        self.training().model.use(question['attention'])
        self.training().evaluate(question)
        return {}

    def on_train_translate(self, question):
        self.training().model.use(question['attention'])
        self.training().translate(question)
        return {}

    def on_train_importance(self, question):
        return {'importance': self.training().importance(question)}

    def on_train_gradients(self, question):
        return {'loss': self.training().gradients(question)}

    def on_train_logits(self, question):
        self.training().logits(question)
        return {}

    def on_train_save(self, question):
        self.training().save(question['path'], question['optimizer'])
        return {}

    def on_train_load(self, question):
        self.training().load(question['path'])
        return {}

    def training(self):
        """The training that `train-prepare` began."""
        if self.session is None:
            raise RuntimeError('no training was prepared')
        return self.session
