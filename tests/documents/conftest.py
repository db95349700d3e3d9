from documents.session import session

__all__ = ["session"]
