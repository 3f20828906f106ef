"""How to speak to a target: plain Python, neither Django nor Celery nor guardian."""
