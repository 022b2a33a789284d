"""The only place that names private parts of Keras: what a new Keras may break is here."""
