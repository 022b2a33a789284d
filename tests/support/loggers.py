"""What loggers of other packages do with the rate, as their sources have it."""

import keras


class Wandb(keras.callbacks.Callback):
    """wandb 0.31's `WandbMetricsLogger(log_freq="batch")`: it reads the optimizer, on its own."""

    def __init__(self):
        super().__init__()
        self.epochs, self.batches, self.global_step = [], [], 0

    def _get_lr(self):
        rate = self.model.optimizer.learning_rate
        if hasattr(rate, "shape") and rate.shape == ():
            return float(rate.numpy().item())
        try:
            return float(rate(step=self.global_step).numpy().item())
        except Exception:
            return None

    def on_epoch_end(self, epoch, logs=None):
        logs = {f"epoch/{name}": value for name, value in (logs or {}).items()}
        logs["epoch/epoch"] = epoch
        rate = self._get_lr()
        if rate is not None:
            logs["epoch/learning_rate"] = rate
        self.epochs.append(logs)

    def on_batch_end(self, batch, logs=None):
        self.global_step += 1
        self.batches.append(self._get_lr())

    def on_train_batch_end(self, batch, logs=None):
        self.on_batch_end(batch, logs if logs else {})


class Mlflow(keras.callbacks.Callback):
    """mlflow 3.17's `MlflowCallback`: it keeps the logs, and the optimizer's config."""

    def __init__(self):
        super().__init__()
        self.parameters, self.epochs = {}, []

    def on_train_begin(self, logs=None):
        self.parameters = {
            f"optimizer_{name}": value for name, value in self.model.optimizer.get_config().items()
        }

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            self.epochs.append({name: float(value) for name, value in logs.items()})

    def on_batch_end(self, batch, logs=None):
        int(self.model.optimizer.iterations.numpy())
